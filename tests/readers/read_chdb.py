"""ClickHouse, with its own reader of Delta logs, to verify the log independently of the Parquet files."""
import json
import os

import chdb

from compare import FOLDER, check

# It reads only below its working directory.
os.chdir(FOLDER)


def read(path):
    settings = "allow_delta_kernel_rs = 0, output_format_json_quote_64bit_integers = 0, date_time_output_format = 'iso'"
    answer = str(chdb.query(f"select * from deltaLakeLocal('{os.path.relpath(path)}') settings {settings}", "JSONEachRow"))
    return [json.loads(line) for line in answer.splitlines()]


check("chdb", chdb.__version__, read)
