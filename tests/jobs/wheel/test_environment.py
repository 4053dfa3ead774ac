"""Identity and secrets: they reach the child's environment, and nothing else."""

import base64
import json
import os
import types
import unittest

import lakeplan
from lakeplan._environment import settings_words
from stand_ins import DbUtils, TaskCase, context, sdk

CANARY = "canary-5f2c/ü+=value"
SECRET = {"name": "AWS_SECRET_ACCESS_KEY", "scope": "team", "key": "aws"}


class Identity(TaskCase):
    def handed_over(self):
        self.main("lake", "show")
        environment = self.calls()[-1]["environment"]
        return environment.get("DATABRICKS_HOST"), environment.get("DATABRICKS_TOKEN")

    def test_the_environment_comes_first(self):
        os.environ.update(DATABRICKS_HOST="https://a", DATABRICKS_TOKEN="of-environment")
        self.modules(**{"databricks": {}, "databricks.sdk": sdk("https://a", "Bearer of-sdk")})
        self.assertEqual(self.handed_over(), ("https://a", "of-environment"))

    def test_then_the_sdk_in_the_childs_environment_only(self):
        self.modules(**{"databricks": {}, "databricks.sdk": sdk("https://a/", "Bearer of-sdk")})
        self.assertEqual(self.handed_over(), ("https://a", "of-sdk"))
        self.assertNotIn("DATABRICKS_TOKEN", os.environ)

    def test_then_the_context_of_the_notebook(self):
        self.modules(**{"dbruntime": {}, "dbruntime.databricks_repl_context": context("adb-1.net", "of-context")})
        self.assertEqual(self.handed_over(), ("https://adb-1.net", "of-context"))

    def test_a_token_is_not_sent_to_a_host_it_is_not_of(self):
        os.environ["DATABRICKS_HOST"] = "https://mine"
        self.modules(**{"databricks": {}, "databricks.sdk": sdk("https://other", "Bearer of-other")})
        self.assertEqual(self.handed_over(), ("https://mine", None))

    def test_a_sign_in_that_is_no_bearer_token_is_left_out(self):
        self.modules(**{"databricks": {}, "databricks.sdk": sdk("https://a", "Basic abc")})
        self.assertEqual(self.handed_over(), (None, None))

    def test_outside_databricks_there_is_none_and_nothing_is_said(self):
        ran = self.main("lake", "show")
        self.assertEqual((ran.err, ran.raised), ("", None))

    def test_on_databricks_without_any_it_is_said_what_was_tried(self):
        self.on_databricks()
        self.assertIn("no host and token found in the Databricks SDK", self.main("lake", "show").err)


class WhereDbutilsIsFound(TaskCase):
    def handed_over(self):
        self.told(secrets=[SECRET])
        self.main("plan", "x.md")
        return self.calls()[-1]["environment"].get("AWS_SECRET_ACCESS_KEY")

    def test_in_a_notebook_it_is_the_notebooks(self):
        dbutils = DbUtils()
        dbutils.scopes["team", "aws"] = CANARY
        shell = types.SimpleNamespace(user_ns={"dbutils": dbutils})
        self.modules(IPython={"get_ipython": lambda: shell})
        self.assertEqual(self.handed_over(), CANARY)

    def test_where_the_sdk_has_none_it_is_that_of_spark(self):
        os.environ["DATABRICKS_RUNTIME_VERSION"] = "17.3"
        dbutils = DbUtils()
        dbutils.scopes["team", "aws"] = CANARY
        session = types.SimpleNamespace(builder=types.SimpleNamespace(getOrCreate=lambda: "spark"))
        spark = {"pyspark": {}, "pyspark.dbutils": {"DBUtils": lambda _: dbutils}, "pyspark.sql": {"SparkSession": session}}
        self.modules(**spark)
        self.assertEqual(self.handed_over(), CANARY)

    def test_on_databricks_without_any_it_is_said_what_was_tried(self):
        os.environ["DATABRICKS_RUNTIME_VERSION"] = "17.3"
        self.assertIn("no dbutils in the Databricks SDK (ModuleNotFoundError), pyspark", self.main("plan", "x.md").err)


class Secrets(TaskCase):
    def test_a_secret_of_a_scope_reaches_the_child_and_nobody_else(self):
        dbutils = self.on_databricks()
        dbutils.scopes["team", "aws"] = CANARY
        self.told(secrets=[SECRET])
        self.main("plan", "x.md")
        asked, ran = self.calls()
        self.assertEqual(ran["environment"]["AWS_SECRET_ACCESS_KEY"], CANARY)
        self.assertNotIn("AWS_SECRET_ACCESS_KEY", asked["environment"])
        self.assertNotIn("AWS_SECRET_ACCESS_KEY", os.environ)
        self.assertNotIn(CANARY, " ".join(ran["argv"]))

    def test_the_configuration_that_is_asked_is_the_one_of_the_command(self):
        self.main("--config", "c.toml", "plan", "x.md", "-t", "prod")
        self.assertEqual(self.calls()[0]["argv"], ["--config", "c.toml", "-t", "prod", "config", "secrets", "--json"])

    def test_every_way_to_name_the_configuration_is_understood(self):
        for words, chosen in [
            (["--config=c", "plan"], ["--config=c"]),
            (["plan", "--target", "dev"], ["--target", "dev"]),
            (["plan", "-tdev"], ["-tdev"]),
            (["plan", "--text=a", "--yes"], []),
            (["query", "--", "--config"], []),
        ]:
            self.assertEqual(settings_words(words), chosen)

    def test_without_dbutils_a_variable_that_is_set_is_left_alone_and_redacted(self):
        os.environ["AWS_SECRET_ACCESS_KEY"] = CANARY
        self.told(secrets=[SECRET], does=f"print({CANARY!r})")
        ran = self.main("plan", "x.md")
        self.assertEqual(self.calls()[-1]["environment"]["AWS_SECRET_ACCESS_KEY"], CANARY)
        self.assertEqual(ran.out, "[REDACTED]\n")

    def test_a_secret_that_cannot_be_read_fails_with_the_right_to_grant(self):
        self.on_databricks()
        self.told(secrets=[SECRET])
        raised = self.main("plan", "x.md").raised
        self.assertIsInstance(raised, lakeplan.TaskFailed)
        self.assertIn("AWS_SECRET_ACCESS_KEY is the secret team/aws, and it cannot be read", str(raised))
        self.assertIn("databricks secrets put-acl team PRINCIPAL READ", str(raised))

    def test_a_configuration_that_cannot_be_read_fails_the_task_as_the_binary_does(self):
        self.binary.write_text(
            '#!/bin/sh\necho \'{"error":{"code":"configuration","message":"c.toml cannot be read","hint":"h"}}\' >&2\nexit 3\n'
        )
        raised = self.main("--config=c.toml", "plan").raised
        self.assertEqual((raised.exit, raised.code, raised.message), (3, "configuration", "c.toml cannot be read"))

    def test_no_secret_is_in_anything_that_is_printed_set_or_raised(self):
        dbutils = self.on_databricks()
        dbutils.scopes["team", "aws"] = CANARY
        token = "dapi-canary-token"
        self.modules(
            **{"dbruntime": {}, "dbruntime.databricks_repl_context": context("https://a", token)},
        )
        leaks = [CANARY, token, json.dumps(CANARY), base64.b64encode(CANARY.encode()).decode()]
        self.told(
            secrets=[SECRET],
            does="".join(f"print({leak!r}); print({leak!r}, file=sys.stderr)\n" for leak in leaks),
            exit=1,
            summary={"command": "plan", "exit": 1, "message": f"wrong key {CANARY}", "hint": token, "counts": {CANARY: 1}},
        )
        ran = self.main("plan", "x.md")
        said = ran.out + ran.err + str(ran.raised) + repr(vars(ran.raised)) + json.dumps(dbutils.values, ensure_ascii=False)
        self.assertIn("[REDACTED]", said)
        for leak in leaks:
            self.assertNotIn(leak, said)

    def test_each_line_of_a_secret_of_several_lines_is_redacted(self):
        dbutils = self.on_databricks()
        dbutils.scopes["team", "aws"] = "-----BEGIN KEY-----\nMIIabc\n-----END KEY-----"
        self.told(secrets=[SECRET], does="print(os.environ['AWS_SECRET_ACCESS_KEY'])")
        self.assertEqual(self.main("plan").out, "[REDACTED]\n" * 3)


if __name__ == "__main__":
    unittest.main()
