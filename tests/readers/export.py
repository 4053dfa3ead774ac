"""Exports lakeplan's own results for a lake, which other engines are compared with. usage: export.py BINARY FOLDER [DASHBOARD...]

FOLDER gets TABLE.json with the rows of every table, tables/TABLE.parquet with the same rows for engines that cannot read
Delta, and questions.json: in order, every view, then every dataset of the dashboards and the query of each of its widgets,
with the rows that lakeplan returns. The lake is the one in LAKEPLAN_LAKE.
"""
import json
import re
import subprocess
import sys
from pathlib import Path

BINARY, FOLDER, DASHBOARDS = sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]]
SCHEMAS = Path(__file__).resolve().parent.parent.parent / "schemas"
TABLES = sorted(path.stem for path in Path("schemas/tables").glob("*.json"))


def lakeplan(*args):
    return subprocess.run([BINARY, *args], check=True, stdout=subprocess.PIPE).stdout


def answer(sql):
    return json.loads(lakeplan("query", sql, "--format", "json"))


def questions():
    """Yields name, SQL, and whether other engines query it by name."""
    for view in json.loads(lakeplan("query", "--views", "--json"))["views"]:
        yield view["name"], (SCHEMAS / "views" / f"{view['name']}.sql").read_text(encoding="utf-8"), True
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        of = file.name.split(".")[0]
        datasets = {dataset["name"]: "".join(dataset["queryLines"]) for dataset in dashboard["datasets"]}
        for name, sql in datasets.items():
            yield f"{of}: dataset {name}", sql, False
        for page in dashboard["pages"]:
            for widget in (item["widget"] for item in page["layout"]):
                for query in widget.get("queries", ()):
                    yield f"{of}: widget {widget['name']}", asked(query["query"], datasets), False


def asked(query, datasets):
    """Returns the SQL that a dashboard generates for a widget, with names that need no quotes."""
    expressions = [portable(field["expression"]) for field in query["fields"]]
    shown = ", ".join(f"{expression} AS c{at}" for at, expression in enumerate(expressions))
    groups = [] if query["disaggregated"] else [one for one in expressions if not re.match(r"(SUM|AVG|COUNT|MIN|MAX)\(", one)]
    grouped = f" GROUP BY {', '.join(groups)}" if groups else ""
    return f"SELECT {shown} FROM ({datasets[query['datasetName']]}) d{grouped}"


def portable(expression):
    return expression.replace("`", "").replace('"', "'")


def main():
    (FOLDER / "tables").mkdir(exist_ok=True)
    for table in TABLES:
        rows = answer(f"SELECT * FROM {table}")
        (FOLDER / f"{table}.json").write_text(json.dumps(rows), encoding="utf-8")
        (FOLDER / "tables" / f"{table}.parquet").write_bytes(lakeplan("query", f"SELECT * FROM {table}", "--format", "parquet"))
    while True:
        clock, found, empty = answer("SELECT * FROM clock")[0], [], []
        for name, sql, is_view in questions():
            # The SQL may end with a comment, so a new line follows it.
            rows = answer(f"SELECT * FROM (\n{sql}\n) q")
            found.append({"name": name, "sql": sql, "view": is_view, "rows": rows})
            # A view that no dashboard uses may be empty here, for example if there are no requests.
            if not rows and not is_view:
                empty.append(name)
        # Results of yesterday must not be mixed with those of today.
        if answer("SELECT * FROM clock")[0]["today"] == clock["today"]:
            break
    if DASHBOARDS and empty:
        sys.exit(f"error: nothing to compare in {', '.join(empty)}: the lake lacks what they show")
    (FOLDER / "questions.json").write_text(json.dumps({"clock": clock, "questions": found}), encoding="utf-8")
    print(f"exported: {len(TABLES)} tables, {len(found)} questions, {sum(len(one['rows']) for one in found)} rows of answers")


main()
