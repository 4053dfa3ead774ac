"""Sail, through Spark Connect: another reader of Delta logs, with Spark SQL."""
import warnings

warnings.filterwarnings("ignore")
from pysail.spark import SparkConnectServer  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

from compare import CLOCK, FOLDER, TABLES, check  # noqa: E402

server = SparkConnectServer()
server.start()
_, port = server.listening_address
spark = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")


def answer(sql):
    return [row.asDict() for row in spark.sql(sql).collect()]


def view(name, sql):
    spark.sql(f"create temporary view {name} as {sql}")


for table in TABLES:
    view(table, f"select * from delta.`{FOLDER / 'lake' / table}`")
view("clock", f"select cast('{CLOCK['today']}' as date) as today, cast('{CLOCK['now']}' as timestamp) as now")
check("sail", spark.version, lambda path: answer(f"select * from delta.`{path}`"), view, answer)
