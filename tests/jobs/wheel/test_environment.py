"""Identity and secrets: only the environment of the child contains them."""

import base64
import json
import os
import types
import unittest

import lakeplan
from lakeplan._environment import settings_args
from stand_ins import DbUtils, TaskCase, context, sdk

CANARY = "canary-5f2c/ü+=value"
SECRET = {"name": "AWS_SECRET_ACCESS_KEY", "scope": "team", "key": "aws"}


class Identity(TaskCase):
    def passed_on(self):
        self.main("lake", "show")
        environment = self.calls()[-1]["environment"]
        return environment.get("DATABRICKS_HOST"), environment.get("DATABRICKS_TOKEN")

    def test_the_environment_comes_first(self):
        os.environ.update(DATABRICKS_HOST="https://a", DATABRICKS_TOKEN="of-environment")
        self.modules(**{"databricks": {}, "databricks.sdk": sdk("https://a", "Bearer of-sdk")})
        self.assertEqual(self.passed_on(), ("https://a", "of-environment"))

    def test_then_the_sdk_in_the_environment_of_the_child_only(self):
        self.modules(**{"databricks": {}, "databricks.sdk": sdk("https://a/", "Bearer of-sdk")})
        self.assertEqual(self.passed_on(), ("https://a", "of-sdk"))
        self.assertNotIn("DATABRICKS_TOKEN", os.environ)

    def test_then_the_context_of_the_notebook(self):
        self.modules(**{"dbruntime": {}, "dbruntime.databricks_repl_context": context("adb-1.net", "of-context")})
        self.assertEqual(self.passed_on(), ("https://adb-1.net", "of-context"))

    def test_a_token_is_not_used_for_another_host(self):
        os.environ["DATABRICKS_HOST"] = "https://mine"
        self.modules(**{"databricks": {}, "databricks.sdk": sdk("https://other", "Bearer of-other")})
        self.assertEqual(self.passed_on(), ("https://mine", None))

    def test_only_bearer_tokens_are_used(self):
        self.modules(**{"databricks": {}, "databricks.sdk": sdk("https://a", "Basic abc")})
        self.assertEqual(self.passed_on(), (None, None))

    def test_outside_databricks_missing_credentials_are_not_reported(self):
        ran = self.main("lake", "show")
        self.assertEqual((ran.err, ran.raised), ("", None))

    def test_on_databricks_the_tried_sources_are_reported(self):
        self.on_databricks()
        self.assertIn("no host and token found in the Databricks SDK", self.main("lake", "show").err)


class WhereDbutilsIsFound(TaskCase):
    def passed_on(self):
        self.set_binary(secrets=[SECRET])
        self.main("plan", "x.md")
        return self.calls()[-1]["environment"].get("AWS_SECRET_ACCESS_KEY")

    def test_a_notebook_uses_its_own_dbutils(self):
        dbutils = DbUtils()
        dbutils.scopes["team", "aws"] = CANARY
        shell = types.SimpleNamespace(user_ns={"dbutils": dbutils})
        self.modules(IPython={"get_ipython": lambda: shell})
        self.assertEqual(self.passed_on(), CANARY)

    def test_sparks_dbutils_is_used_if_the_sdk_has_none(self):
        os.environ["DATABRICKS_RUNTIME_VERSION"] = "17.3"
        dbutils = DbUtils()
        dbutils.scopes["team", "aws"] = CANARY
        session = types.SimpleNamespace(builder=types.SimpleNamespace(getOrCreate=lambda: "spark"))
        spark = {"pyspark": {}, "pyspark.dbutils": {"DBUtils": lambda _: dbutils}, "pyspark.sql": {"SparkSession": session}}
        self.modules(**spark)
        self.assertEqual(self.passed_on(), CANARY)

    def test_on_databricks_the_tried_sources_are_reported(self):
        os.environ["DATABRICKS_RUNTIME_VERSION"] = "17.3"
        self.assertIn("no dbutils in the Databricks SDK (ModuleNotFoundError), pyspark", self.main("plan", "x.md").err)


class Secrets(TaskCase):
    def test_a_secret_is_passed_only_to_the_child(self):
        dbutils = self.on_databricks()
        dbutils.scopes["team", "aws"] = CANARY
        self.set_binary(secrets=[SECRET])
        self.main("plan", "x.md")
        asked, ran = self.calls()
        self.assertEqual(ran["environment"]["AWS_SECRET_ACCESS_KEY"], CANARY)
        self.assertNotIn("AWS_SECRET_ACCESS_KEY", asked["environment"])
        self.assertNotIn("AWS_SECRET_ACCESS_KEY", os.environ)
        self.assertNotIn(CANARY, " ".join(ran["argv"]))

    def test_the_secrets_are_those_of_the_commands_configuration(self):
        self.main("--config", "c.toml", "plan", "x.md", "-t", "prod")
        self.assertEqual(self.calls()[0]["argv"], ["--config", "c.toml", "-t", "prod", "config", "secrets", "--json"])

    def test_every_spelling_of_the_configuration_flags_is_parsed(self):
        for args, chosen in [
            (["--config=c", "plan"], ["--config=c"]),
            (["plan", "--target", "dev"], ["--target", "dev"]),
            (["plan", "-tdev"], ["-tdev"]),
            (["plan", "--text=a", "--yes"], []),
            (["query", "--", "--config"], []),
        ]:
            self.assertEqual(settings_args(args), chosen)

    def test_without_dbutils_a_set_variable_is_kept_and_redacted(self):
        os.environ["AWS_SECRET_ACCESS_KEY"] = CANARY
        self.set_binary(secrets=[SECRET], does=f"print({CANARY!r})")
        ran = self.main("plan", "x.md")
        self.assertEqual(self.calls()[-1]["environment"]["AWS_SECRET_ACCESS_KEY"], CANARY)
        self.assertEqual(ran.out, "[REDACTED]\n")

    def test_an_unreadable_secret_fails_with_the_missing_permission(self):
        self.on_databricks()
        self.set_binary(secrets=[SECRET])
        raised = self.main("plan", "x.md").raised
        self.assertIsInstance(raised, lakeplan.TaskFailed)
        self.assertIn("AWS_SECRET_ACCESS_KEY is the secret team/aws, and it cannot be read", str(raised))
        self.assertIn("databricks secrets put-acl team PRINCIPAL READ", str(raised))

    def test_an_unreadable_configuration_fails_the_task_with_the_binarys_error(self):
        self.binary.write_text(
            '#!/bin/sh\necho \'{"error":{"code":"configuration","message":"c.toml cannot be read","hint":"h"}}\' >&2\nexit 3\n'
        )
        raised = self.main("--config=c.toml", "plan").raised
        self.assertEqual((raised.exit, raised.code, raised.message), (3, "configuration", "c.toml cannot be read"))

    def test_output_values_and_exceptions_contain_no_secret(self):
        dbutils = self.on_databricks()
        dbutils.scopes["team", "aws"] = CANARY
        token = "dapi-canary-token"
        self.modules(
            **{"dbruntime": {}, "dbruntime.databricks_repl_context": context("https://a", token)},
        )
        leaks = [CANARY, token, json.dumps(CANARY), base64.b64encode(CANARY.encode()).decode()]
        self.set_binary(
            secrets=[SECRET],
            does="".join(f"print({leak!r}); print({leak!r}, file=sys.stderr)\n" for leak in leaks),
            exit=1,
            summary={"command": "plan", "exit": 1, "message": f"wrong key {CANARY}", "hint": token, "counts": {CANARY: 1}},
        )
        ran = self.main("plan", "x.md")
        output = ran.out + ran.err + str(ran.raised) + repr(vars(ran.raised)) + json.dumps(dbutils.values, ensure_ascii=False)
        self.assertIn("[REDACTED]", output)
        for leak in leaks:
            self.assertNotIn(leak, output)

    def test_each_line_of_a_multi_line_secret_is_redacted(self):
        dbutils = self.on_databricks()
        dbutils.scopes["team", "aws"] = "-----BEGIN KEY-----\nMIIabc\n-----END KEY-----"
        self.set_binary(secrets=[SECRET], does="print(os.environ['AWS_SECRET_ACCESS_KEY'])")
        self.assertEqual(self.main("plan").out, "[REDACTED]\n" * 3)


if __name__ == "__main__":
    unittest.main()
