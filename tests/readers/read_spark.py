"""Spark itself, over the same rows as Parquet: the reference for SQL on Databricks."""
from pyspark.sql import SparkSession

from compare import CLOCK, FOLDER, TABLES, check

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.warehouse.dir", str(FOLDER / "warehouse"))
    .getOrCreate()
)


def view(name, sql):
    spark.sql(f"create temporary view {name} as {sql}")


def answer(sql):
    return [row.asDict() for row in spark.sql(sql).collect()]


for table in TABLES:
    spark.read.parquet(str(FOLDER / "tables" / f"{table}.parquet")).createTempView(table)
view("clock", f"select cast('{CLOCK['today']}' as date) as today, cast('{CLOCK['now']}' as timestamp) as now")
check("spark", spark.version, view=view, query=answer)
spark.stop()
