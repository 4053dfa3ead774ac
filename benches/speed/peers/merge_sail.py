"""Merges the changed tasks with Sail; prepared by merge.py."""
import json, os, sys, time

table, source, projects = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
from pysail.spark import SparkConnectServer
from pyspark.sql import SparkSession

server = SparkConnectServer()
server.start()
_, port = server.listening_address
spark = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
where = "t.id = s.id"
if projects:
    where += " AND t.project_id IN (" + ", ".join(f"'{project}'" for project in projects) + ")"
spark.sql("SELECT 1").collect()
started = time.monotonic()
spark.sql(f"MERGE INTO delta.`{table}` t USING delta.`{source}` s ON {where} WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *").collect()
seconds = time.monotonic() - started
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"seconds": seconds, "peak_mib": peak // 1024}), flush=True)
os._exit(0)
