"""Sail, by Spark Connect: another reader of Delta logs, and Spark's SQL."""
import warnings

warnings.filterwarnings("ignore")
from pysail.spark import SparkConnectServer  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

from compare import FOLDER, TABLES, check  # noqa: E402

server = SparkConnectServer()
server.start()
_, port = server.listening_address
spark = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")


def answer(sql):
    return [row.asDict() for row in spark.sql(sql).collect()]


def query(name, sql):
    spark.sql(f"create temporary view {name} as {sql}")
    return answer(f"select * from {name}")


for table in TABLES:
    spark.sql(f"create temporary view {table} as select * from delta.`{FOLDER / 'lake' / table}`")
spark.sql("create temporary view clock as select current_date() as today, current_timestamp() as now")
check("sail", spark.version, lambda path: answer(f"select * from delta.`{path}`"), query)
