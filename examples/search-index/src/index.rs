//! The index: `SQLite` with full-text search, and the cursor of what is in it.
//!
//! The words of a SKU are what stands between its dashes; a shop would add titles from its catalog.

use rusqlite::{Connection, OptionalExtension, Result, Transaction};
use std::time::Duration;

const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS stock (
        id INTEGER PRIMARY KEY,
        sku TEXT NOT NULL UNIQUE,
        available INTEGER NOT NULL
    );
    CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
        sku, content = 'stock', content_rowid = 'id'
    );
    CREATE TRIGGER IF NOT EXISTS words_of_a_new_sku AFTER INSERT ON stock BEGIN
        INSERT INTO words (rowid, sku) VALUES (new.id, new.sku);
    END;
    CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY CHECK (id = 1), cursor TEXT NOT NULL);
";

/// The index.
pub(crate) struct Index(Connection);

/// A change of rows and cursor: all of it once it is finished, and none of it otherwise.
pub(crate) struct Change<'a>(Transaction<'a>);

impl Index {
    /// Opens it, or makes an empty one.
    pub(crate) fn open(file: &str) -> Result<Self> {
        let connection = Connection::open(file)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch(TABLES)?;
        Ok(Self(connection))
    }

    /// Where to go on; nowhere before the first snapshot.
    pub(crate) fn cursor(&self) -> Result<Option<String>> {
        let cursor = "SELECT cursor FROM place";
        self.0.query_row(cursor, [], |row| row.get(0)).optional()
    }

    /// The next thing is a snapshot. Until it is there, the index answers with what it has.
    pub(crate) fn forget_cursor(&self) -> Result<()> {
        self.0.execute("DELETE FROM place", []).map(drop)
    }

    pub(crate) fn begin(&mut self) -> Result<Change<'_>> {
        self.0.transaction().map(Change)
    }

    /// SKUs with all these words of which something is available, best first.
    pub(crate) fn search(&self, words: &[&str]) -> Result<Vec<(String, i64)>> {
        // In quotes a word is a word, whatever signs it has.
        let quoted = |word: &&str| format!("\"{}\"", word.replace('"', ""));
        let words: Vec<String> = words.iter().map(quoted).collect();
        let mut found = self.0.prepare(
            "SELECT stock.sku, available FROM words JOIN stock ON stock.id = words.rowid
             WHERE words MATCH ?1 AND 0 < available ORDER BY rank, stock.sku LIMIT 20",
        )?;
        let rows = found.query_map([words.join(" ")], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

impl Change<'_> {
    /// Takes everything out.
    pub(crate) fn clear(&self) -> Result<()> {
        self.0.execute_batch(
            "DELETE FROM stock;
             INSERT INTO words (words) VALUES ('delete-all');",
        )
    }

    /// A SKU as it stands now.
    pub(crate) fn put(&self, sku: &str, available: i64) -> Result<()> {
        let put = "INSERT INTO stock (sku, available) VALUES (?1, ?2)
                   ON CONFLICT (sku) DO UPDATE SET available = excluded.available";
        self.0
            .prepare_cached(put)?
            .execute((sku, available))
            .map(drop)
    }

    /// Makes it durable, with where to go on.
    pub(crate) fn finish(self, cursor: &str) -> Result<()> {
        let put = "INSERT OR REPLACE INTO place (id, cursor) VALUES (1, ?1)";
        self.0.execute(put, [cursor])?;
        self.0.commit()
    }
}
