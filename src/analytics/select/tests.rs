use super::*;

type Refusal = fn(&str) -> Option<AnalyticsError>;
const PARSERS: [Refusal; 2] = [|sql| Select::parse(sql).err(), |sql| LakeSelect::parse(sql).err()];

#[test]
fn what_reads_tables_is_let_through() {
    for sql in [
        "SELECT status, count(*) FROM tasks GROUP BY status",
        "WITH t AS (SELECT * FROM `main`.`plan`.`tasks`) SELECT * FROM t WHERE key = :key",
        "SELECT 1 UNION ALL SELECT 2",
        "(SELECT 1) EXCEPT (SELECT 2)",
        "SELECT * EXCEPT (id) FROM tasks QUALIFY row_number() OVER (ORDER BY at) = 1",
        "SELECT key FROM tasks; ",
        "VALUES (1), (2)",
        "SELECT * FROM delta.tasks",
    ] {
        for door in PARSERS {
            assert!(door(sql).is_none(), "{sql}: {:?}", door(sql));
        }
    }
    assert!(Select::parse("SELECT * FROM main.plan.tasks VERSION AS OF 3").is_ok());
}

#[test]
fn what_does_more_is_refused_by_both_and_named() {
    for (sql, named) in [
        ("DROP TABLE tasks", "DROP TABLE"),
        ("INSERT INTO inbox VALUES (1)", "INSERT INTO"),
        ("UPDATE tasks SET title = 'x'", "UPDATE tasks"),
        ("DELETE FROM tasks", "DELETE FROM"),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "MERGE INTO"),
        ("SET x = 1", "SET x"),
        ("RESET x", "RESET x"),
        ("USE CATALOG main", "USE CATALOG"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "CREATE EXTERNAL"),
        ("GRANT SELECT ON TABLE t TO `x`", "GRANT SELECT"),
        ("COPY INTO t FROM 's3://b'", "COPY INTO"),
        ("COPY tasks TO '/tmp/x.csv'", "COPY tasks"),
        ("OPTIMIZE tasks", "OPTIMIZE tasks"),
        ("WITH t AS (SELECT 1) INSERT INTO inbox SELECT * FROM t", "INSERT INTO"),
        ("SELECT * INTO t FROM tasks", "SELECT INTO"),
        ("(SELECT * INTO t FROM tasks)", "SELECT INTO"),
        ("SELECT * FROM tasks FOR UPDATE", "FOR UPDATE"),
        ("SELECT secret('scope', 'key')", "secret"),
        ("SELECT * FROM read_files('s3://b/x')", "read_files"),
        ("SELECT * FROM (SELECT http_request('c'))", "http_request"),
        ("SELECT * FROM parquet.`s3://b/x`", "s3://b/x"),
        ("SELECT ai_query('m', title) FROM tasks", "ai_query"),
        ("EXPLAIN SELECT 1", "EXPLAIN SELECT"),
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE"),
        ("DESCRIBE tasks", "DESCRIBE tasks"),
        ("SHOW TABLES", "SHOW TABLES"),
        ("-- a word first\n show tables", "show tables"),
        ("PREPARE p AS SELECT 1", "PREPARE p"),
        ("CALL p()", "CALL p"),
    ] {
        for door in PARSERS {
            let refused = door(sql);
            assert!(
                matches!(&refused, Some(AnalyticsError::Writes { what }) if what.contains(named)),
                "{sql}: {refused:?}"
            );
        }
    }
    for door in PARSERS {
        assert!(matches!(door("SELECT 1; SELECT 2"), Some(AnalyticsError::MultipleStatements)));
        assert!(matches!(door("SELECT 1; DROP TABLE tasks"), Some(AnalyticsError::Writes { .. })));
        assert!(matches!(door("SELEC 1"), Some(AnalyticsError::Syntax(_))));
        assert!(matches!(door("-- nothing"), Some(AnalyticsError::Syntax(_))));
    }
}

/// Returns a query with `count` of the construct that a limit counts.
fn sized(of: &str, count: usize) -> String {
    let times = |text: &str, count: usize, by: &str| vec![text; count].join(by);
    match of {
        "plus" => format!("SELECT {}", times("1", count, "+")),
        "and" => format!("SELECT * FROM tasks WHERE {}", times("key = 'a'", count, " AND ")),
        "union" => times("SELECT 1", count, " UNION ALL "),
        "parentheses" => format!("SELECT {}1{}", "(".repeat(count), ")".repeat(count)),
        "tables" => format!(
            "SELECT 1 FROM {}tasks CROSS JOIN tasks b{}",
            "(".repeat(count),
            ")".repeat(count)
        ),
        "brackets" => format!("SELECT {}1{}", "[".repeat(count), "]".repeat(count)),
        "case" => {
            format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(count), " END".repeat(count))
        }
        "not" => format!("SELECT {} true", "NOT ".repeat(count)),
        "interval" => format!("SELECT {} '1' DAY", "INTERVAL ".repeat(count)),
        "minus" => format!("SELECT {} 1", "- ".repeat(count)),
        "subquery" => format!(
            "SELECT * FROM {}SELECT 1{}",
            "(SELECT * FROM (".repeat(count / 2),
            "))".repeat(count / 2)
        ),
        "type" => {
            format!("SELECT CAST(NULL AS {}INT{})", "ARRAY<".repeat(count), ">".repeat(count))
        }
        "cast" => format!("SELECT 1{}", "::int".repeat(count)),
        "in" => format!(
            "SELECT * FROM tasks WHERE id IN ({})",
            times("'019a0000-0000-7000-8000-000000000000'", count, ", ")
        ),
        "values" => format!("VALUES {}", times("(1, 'a')", count, ", ")),
        "join" => format!("SELECT 1 FROM tasks {}", "CROSS JOIN tasks ".repeat(count)),
        "alias" => format!("SELECT 1 AS \"{}\"", "a".repeat(count)),
        "literal" => format!("SELECT '{}'", "é".repeat(count / 2)),
        "columns" => format!("SELECT {}", times("1", count, ", ")),
        "ctes" => {
            let doubled = |n: usize| format!(", t{} AS (SELECT 1 FROM t{n}, t{n} b)", n + 1);
            format!(
                "WITH t0 AS (SELECT 1){} SELECT * FROM t{count}",
                (0..count).map(doubled).collect::<String>()
            )
        }
        other => panic!("{other}"),
    }
}

#[test]
fn ordinary_sizes_are_let_through_and_what_no_one_can_plan_is_not() {
    for (of, passes, refused) in [
        ("plus", 999, 2_000),
        ("plus", 1, 49_000),
        ("and", 500, 20_000),
        ("union", 500, 2_000),
        ("union", 1, 20_000),
        ("parentheses", 90, 100_000),
        ("brackets", 90, 20_000),
        ("tables", 90, 20_000),
        ("case", 50, 2_000),
        ("not", 100, 2_000),
        ("minus", 100, 30_000),
        ("interval", 1, 12_000),
        ("subquery", 60, 2_000),
        ("cast", 900, 20_000),
        ("in", 20_000, 60_000),
        ("values", 10_000, 40_000),
        ("join", 50, 2_000),
        ("alias", 60_000, 70_000),
        ("literal", 60_000, 70_000),
        ("columns", 4_000, 80_000),
        ("ctes", 8, 40),
    ] {
        for door in PARSERS {
            let passed = door(&sized(of, passes));
            assert!(passed.is_none(), "{passes} {of}: {passed:?}");
            let rendered = door(&sized(of, refused));
            assert!(
                matches!(rendered, Some(AnalyticsError::TooComplex(_))),
                "{refused} {of}: {rendered:?}"
            );
            assert!(rendered.unwrap().to_string().len() < 300);
        }
    }
    let rendered = Select::parse(&sized("type", 20_000));
    assert!(matches!(rendered, Err(AnalyticsError::TooComplex(_))), "{rendered:?}");
}
