"""Requests changes like SQL users: with rows in the table inbox, written by Sail.

usage: ask_sail.py LAKE            writes three requests
       ask_sail.py LAKE COUNT      checks the number of results
"""
import datetime
import json
import sys
import warnings

warnings.filterwarnings("ignore")
from pysail.spark import SparkConnectServer  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

lake = sys.argv[1]
server = SparkConnectServer()
server.start()
_, port = server.listening_address
spark = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")

if len(sys.argv) > 2:
    answers = spark.sql(f"SELECT request_id, outcome FROM delta.`{lake}/inbox_results`").collect()
    if len({row.request_id for row in answers}) == int(sys.argv[2]):
        print(f"every answer is there: sail {spark.version}, {len(answers)} requests", flush=True)
    else:
        sys.exit(f"sail reads these answers: {answers}")
else:
    def patches(*patches):
        return json.dumps({"patches": list(patches)})

    new = patches({"op": "create", "entity": "task", "fields": {"project_id": "OPS", "title": "Asked by SQL"}})
    stale = patches({"op": "update", "entity": "task", "id": "OPS-101", "fields": {"status": "review"}, "expect": {"status": "blocked"}})
    at = datetime.datetime(2026, 11, 20, 10, tzinfo=datetime.timezone.utc)
    rows = [("new", at, "ana", new), ("stale", at + datetime.timedelta(seconds=1), "ana", stale), ("nonsense", at, "bo", "{")]
    schema = "request_id string not null, at timestamp not null, user string not null, patch_set string not null"
    spark.createDataFrame(rows, schema).write.format("delta").mode("append").save(f"{lake}/inbox")
