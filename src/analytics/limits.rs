//! Limits the size and depth of a query, so that no SQL overflows a stack, fills the memory or
//! takes minutes to plan.
//!
//! The text and its tokens are checked before parsing, the statement before planning.

use std::collections::HashMap;
use std::ops::ControlFlow;

use deltalake::datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, SetExpr, TableFactor, Visitor,
};
use deltalake::datafusion::sql::sqlparser::keywords::Keyword;
use deltalake::datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::AnalyticsError;

/// Maximum length of a query's text, in bytes.
const TEXT: usize = 1 << 20;
/// Maximum number of tokens. A list of 10,000 ids has 20,000.
const TOKENS: usize = 100_000;
/// Maximum length of a literal or name, in bytes. The engine copies a literal for each row of a
/// batch.
const TOKEN: usize = 64 << 10;
/// Maximum nesting of parentheses, brackets, CASE and nested types.
const NESTING: usize = 100;
/// Recursion limit of the parser, which takes several steps per parenthesis.
pub(super) const RECURSION: usize = 6 * NESTING;
/// Maximum depth of an expression: a chain of operators is as deep as it is long.
const DEPTH: usize = 1_000;
/// Maximum number of SELECTs in one chain of UNION, EXCEPT and INTERSECT.
const SETS: usize = 500;
/// Maximum number of tables that a query reads. A CTE counts each time it is read.
const TABLES: usize = 1_000;
/// Maximum number of joins in one FROM.
const JOINS: usize = 50;

fn too(what: String) -> AnalyticsError {
    AnalyticsError::TooComplex(what)
}

/// Rejects a text that is too long to be split into tokens.
pub(super) fn check_text(sql: &str) -> Result<(), AnalyticsError> {
    if sql.len() > TEXT {
        Err(too(format!("it has {} bytes; the limit is {TEXT}", sql.len())))
    } else {
        Ok(())
    }
}

/// Rejects tokens that are too many, too long or too deeply nested to be parsed.
pub(super) fn check_tokens(tokens: &[TokenWithSpan]) -> Result<(), AnalyticsError> {
    let mut nesting: usize = 0;
    let (mut count, mut types, mut last) = (0, 0, Keyword::NoKeyword);
    // Signs and words before an expression; each nests the rest.
    let mut prefixes = 0;
    for token in tokens {
        if length(&token.token) > TOKEN {
            let at = token.span.start;
            let long = length(&token.token);
            return Err(too(format!(
                "the literal or name at line {}, column {} is {long} bytes long; the limit is {TOKEN}",
                at.line, at.column
            )));
        }
        let mut keyword = Keyword::NoKeyword;
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => nesting += 1,
            Token::RParen | Token::RBracket | Token::RBrace => nesting = nesting.saturating_sub(1),
            Token::Lt if matches!(last, Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP) => {
                types += 1
            }
            Token::Word(word) => {
                keyword = word.keyword;
                match keyword {
                    Keyword::CASE => nesting += 1,
                    // END closes only CASE in a SELECT. An END that is a name merely leaves one
                    // level uncounted.
                    Keyword::END => nesting = nesting.saturating_sub(1),
                    _ => {}
                }
            }
            _ => {}
        }
        let is_word = matches!(keyword, Keyword::NOT | Keyword::INTERVAL)
            || (keyword == last && keyword != Keyword::NoKeyword);
        let is_prefix = is_word || matches!(token.token, Token::Minus | Token::Plus | Token::Tilde);
        prefixes = if is_prefix { prefixes + 1 } else { 0 };
        last = keyword;
        count += 1;
        if nesting > NESTING || types > NESTING || prefixes > NESTING {
            let at = token.span.start;
            return Err(too(format!(
                "it is nested more than {NESTING} deep at line {}, column {}",
                at.line, at.column
            )));
        }
        if count > TOKENS {
            return Err(too(format!("it has more than {TOKENS} words, literals and signs")));
        }
    }
    Ok(())
}

/// Returns the approximate length of a token in bytes; the parts that are not text are short.
fn length(token: &Token) -> usize {
    match token {
        Token::Word(word) => word.value.len(),
        Token::Number(text, _)
        | Token::SingleQuotedString(text)
        | Token::DoubleQuotedString(text)
        | Token::TripleSingleQuotedString(text)
        | Token::TripleDoubleQuotedString(text)
        | Token::SingleQuotedByteStringLiteral(text)
        | Token::DoubleQuotedByteStringLiteral(text)
        | Token::SingleQuotedRawStringLiteral(text)
        | Token::DoubleQuotedRawStringLiteral(text)
        | Token::NationalStringLiteral(text)
        | Token::EscapedStringLiteral(text)
        | Token::UnicodeStringLiteral(text)
        | Token::HexStringLiteral(text)
        | Token::Placeholder(text) => text.len(),
        Token::DollarQuotedString(text) => text.value.len(),
        _ => 0,
    }
}

/// Visitor that checks whether a statement exceeds a limit.
#[derive(Default)]
pub(super) struct Measure {
    depth: usize,
    /// Number of tables that each enclosing query reads; the first is the whole statement.
    tables: Vec<usize>,
    /// Number of tables that each CTE reads, by its name; and CTE names by the address of their
    /// queries.
    ctes: HashMap<String, usize>,
    bodies: HashMap<usize, String>,
}

fn place(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

impl Visitor for Measure {
    type Break = AnalyticsError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<AnalyticsError> {
        self.tables.push(0);
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.bodies.insert(place(&cte.query), cte.alias.name.value.to_lowercase());
        }
        let (mut sets, mut left) = (1, query.body.as_ref());
        while let SetExpr::SetOperation { left: further, .. } = left {
            (sets, left) = (sets + 1, further.as_ref());
        }
        if sets > SETS {
            return ControlFlow::Break(too(format!(
                "it combines {sets} SELECTs; the limit is {SETS}"
            )));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<AnalyticsError> {
        let read = self.tables.pop().unwrap_or_default();
        if let Some(name) = self.bodies.remove(&place(query)) {
            self.ctes.insert(name, read.max(1));
            return ControlFlow::Continue(());
        }
        self.reads(read)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<AnalyticsError> {
        let name = relation
            .0
            .last()
            .and_then(|part| part.as_ident())
            .map(|name| name.value.to_lowercase());
        let read = name.and_then(|name| self.ctes.get(&name).copied()).unwrap_or(1);
        self.reads(read)
    }

    fn pre_visit_select(
        &mut self,
        select: &deltalake::datafusion::sql::sqlparser::ast::Select,
    ) -> ControlFlow<AnalyticsError> {
        let joins = select.from.iter().map(|from| 1 + from.joins.len()).sum::<usize>();
        if joins > JOINS + 1 {
            return ControlFlow::Break(too(format!(
                "one FROM joins {joins} tables; the limit is {}",
                JOINS + 1
            )));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<AnalyticsError> {
        match factor {
            TableFactor::NestedJoin { table_with_joins, .. }
                if table_with_joins.joins.len() > JOINS =>
            {
                ControlFlow::Break(too(format!("one FROM joins more than {JOINS} tables")))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<AnalyticsError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return ControlFlow::Break(too(format!(
                "an expression is more than {DEPTH} operators deep; write a long chain of OR as IN (…)"
            )));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<AnalyticsError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

impl Measure {
    /// Adds tables to the count of the enclosing query.
    fn reads(&mut self, read: usize) -> ControlFlow<AnalyticsError> {
        let Some(tables) = self.tables.last_mut() else { return ControlFlow::Continue(()) };
        *tables = tables.saturating_add(read);
        if *tables > TABLES {
            return ControlFlow::Break(too(format!(
                "it reads more than {TABLES} tables, a CTE counted each time it is read"
            )));
        }
        ControlFlow::Continue(())
    }
}
