//! Reading sources: their code without comments and literals, and the paths they name.
//!
//! Deliberately absent: knowing types, macros or re-exports. A rule that needs those belongs to
//! the compiler or to clippy.

/// A path as written, with the first segments of `self`, `super` and `crate` resolved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) path: String,
}

/// The source with comments and the contents of literals blanked; lines stay where they are.
pub(crate) fn code(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut is_inside_word = false;
    while let Some(first) = rest.chars().next() {
        let skipped = if is_inside_word { 0 } else { literal(rest) };
        if skipped == 0 {
            out.push(first);
            is_inside_word = is_word(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let blanked = rest[..skipped]
                .chars()
                .map(|c| if c == '\n' { c } else { ' ' });
            out.extend(blanked);
            rest = &rest[skipped..];
        }
    }
    out
}

/// How long the comment or literal is that begins here; 0 where none does.
fn literal(rest: &str) -> usize {
    let to = |end: Option<usize>| end.unwrap_or(rest.len());
    if rest.starts_with("//") {
        return to(rest.find('\n'));
    }
    if rest.starts_with("/*") {
        return nested_comment(rest);
    }
    let text = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - text.len();
    if let Some(raw) = text.strip_prefix('r') {
        let inside = raw.trim_start_matches('#');
        if prefix < 2 && inside.starts_with('"') {
            let end = format!("\"{}", "#".repeat(raw.len() - inside.len()));
            let before = rest.len() - inside.len() + 1;
            return to(rest[before..].find(&end).map(|at| before + at + end.len()));
        }
    }
    match text.chars().next() {
        Some('"') if prefix < 2 => to(quoted(text, '"').map(|end| prefix + end)),
        Some('\'') if prefix < 2 => {
            let mut inside = text.chars().skip(1);
            // A lifetime has no quote after its first letter.
            let is_char = inside.next() == Some('\\') || inside.next() == Some('\'');
            if is_char {
                to(quoted(text, '\'').map(|end| prefix + end))
            } else {
                0
            }
        }
        _ => 0,
    }
}

/// Where the literal that begins with `quote` ends.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let is_end = !is_escaped && *c == quote;
        is_escaped = !is_escaped && *c == '\\';
        is_end
    });
    end.map(|(at, c)| at + c.len_utf8())
}

fn nested_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest[at..];
        if here.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Every path that code names, imports expanded; and every single word, as a path of one.
pub(crate) fn paths(code: &str, module: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].1 == "use" && tokens.get(at + 1).is_some_and(|token| token.1 != "<") {
            at = import(&tokens, at + 1, "", &mut found);
        } else if tokens[at].1.starts_with(is_word) {
            at = path(&tokens, at, &mut found);
        } else {
            at += 1;
        }
    }
    for named in &mut found {
        named.path = resolve(&named.path, module);
    }
    found
}

/// The module that a file is: `src/http/edge.rs` is `crate::http::edge`.
pub(crate) fn module_of(file: &str) -> String {
    let inside = file.rsplit_once("src/").map_or(file, |(_, inside)| inside);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    match inside {
        "lib" | "main" => "crate".to_owned(),
        other => format!("crate::{}", other.replace('/', "::")),
    }
}

/// Reads an import tree up to its end; returns where to go on.
fn import(tokens: &[(usize, &str)], mut at: usize, prefix: &str, found: &mut Vec<Named>) -> usize {
    let mut path = prefix.to_owned();
    let mut line = tokens.get(at).map_or(0, |token| token.0);
    let mut is_group = false;
    while let Some(&(here, token)) = tokens.get(at) {
        at += 1;
        match token {
            "{" => {
                at = import(tokens, at, &path, found);
                is_group = true;
            }
            "}" | ";" => {
                if !is_group && path.len() > prefix.len() {
                    found.push(Named { line, path });
                }
                return at;
            }
            "," => {
                if !is_group && path.len() > prefix.len() {
                    found.push(Named { line, path });
                }
                (path, is_group) = (prefix.to_owned(), false);
            }
            // What it is called here does not matter.
            "as" => at += 1,
            token => {
                if path.len() == prefix.len() {
                    line = here;
                }
                path.push_str(token);
            }
        }
    }
    at
}

/// Reads `a::b::c`; returns where to go on.
fn path(tokens: &[(usize, &str)], mut at: usize, found: &mut Vec<Named>) -> usize {
    let (line, first) = tokens[at];
    let mut path = first.to_owned();
    at += 1;
    while tokens.get(at).is_some_and(|token| token.1 == "::")
        && let Some(&(_, next)) = tokens
            .get(at + 1)
            .filter(|token| token.1.starts_with(is_word))
    {
        path.push_str("::");
        path.push_str(next);
        at += 2;
    }
    found.push(Named { line, path });
    at
}

fn resolve(path: &str, module: &str) -> String {
    let mut module = module;
    let mut rest = path.strip_prefix("::").unwrap_or(path);
    if let Some(inside) = rest.strip_prefix("self::") {
        return format!("{module}::{inside}");
    }
    let mut is_relative = false;
    while let Some(outside) = rest.strip_prefix("super::") {
        module = module
            .rsplit_once("::")
            .map_or(module, |(outside, _)| outside);
        (rest, is_relative) = (outside, true);
    }
    if is_relative {
        format!("{module}::{rest}")
    } else {
        rest.to_owned()
    }
}

/// Words, `::`, and other characters one by one, with their lines.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push((number + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
