"""Sail, by Spark Connect: another reader of Delta logs, and Spark's SQL."""
import warnings

warnings.filterwarnings("ignore")
from pysail.spark import SparkConnectServer  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

from compare import check  # noqa: E402

server = SparkConnectServer()
server.start()
_, port = server.listening_address
spark = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")
check("sail", spark.version, lambda path: [row.asDict() for row in spark.sql(f"select * from delta.`{path}`").collect()])
