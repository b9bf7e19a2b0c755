//! The page: `docs/comparison.md`, whose tables stand between two marks.

use std::fs;
use std::io;
use std::path::Path;

const PAGE: &str = "docs/comparison.md";
const BEGIN: &str =
    "<!-- figures: written by `cargo run --release --manifest-path benches/compare/Cargo.toml` -->";
const END: &str = "<!-- end of figures -->";

/// Writes the figures into the page.
pub(crate) fn write(root: &Path, about: &str, tables: &str) -> io::Result<()> {
    let path = root.join(PAGE);
    let page = fs::read_to_string(&path)?;
    let figures = format!("\n\n{about}\n\n{tables}\n![reserves a second](comparison.svg)\n\n");
    let page = replaced(&page, &figures).ok_or_else(|| {
        let what = format!("{PAGE} has no room for figures between {BEGIN:?} and {END:?}");
        io::Error::new(io::ErrorKind::InvalidData, what)
    })?;
    fs::write(path, page)
}

fn replaced(page: &str, figures: &str) -> Option<String> {
    let begin = page.find(BEGIN)? + BEGIN.len();
    let end = begin + page[begin..].find(END)?;
    Some(format!("{}{figures}{}", &page[..begin], &page[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_the_figures_stays() {
        let page = format!("# Before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = replaced(&page, "\nnew\n").expect("there is room");
        assert_eq!(new, format!("# Before\n{BEGIN}\nnew\n{END}\nafter\n"));
        assert_eq!(replaced("no marks", "x"), None);
    }
}
