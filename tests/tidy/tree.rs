//! The tree as it lies on the disk, without what is built or generated.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The texts of the tree by their paths.
pub(crate) struct Tree {
    root: PathBuf,
    texts: BTreeMap<String, String>,
}

/// Files whose words are ours: no data, no generated files, no licence texts.
pub(crate) fn is_ours(file: &str) -> bool {
    const ENDS: [&str; 7] = [
        ".rs", ".md", ".toml", ".story", ".sh", "justfile", ".ci/run",
    ];
    ENDS.iter().any(|end| file.ends_with(end))
}

/// Whether it is Rust.
pub(crate) fn is_source(file: &str) -> bool {
    has_end(file, "rs")
}

/// Whether its name ends with `.` and this.
pub(crate) fn has_end(file: &str, end: &str) -> bool {
    Path::new(file)
        .extension()
        .is_some_and(|found| found == end)
}

impl Tree {
    /// The tree, read once.
    pub(crate) fn get() -> &'static Self {
        static TREE: LazyLock<Tree> = LazyLock::new(Tree::read);
        &TREE
    }

    fn read() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut texts = BTreeMap::new();
        walk(&root, &root, &mut texts);
        assert!(texts.len() > 50, "the tree is read from {}", root.display());
        Self { root, texts }
    }

    pub(crate) fn files(
        &self,
        is_meant: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&str, &str)> {
        let all = self
            .texts
            .iter()
            .map(|(file, text)| (file.as_str(), text.as_str()));
        all.filter(move |(file, _)| is_meant(file))
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files(is_source)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.texts.keys().cloned().collect()
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    pub(crate) fn text(&self, file: &str) -> &str {
        self.texts
            .get(file)
            .unwrap_or_else(|| panic!("{file} is missing"))
    }
}

fn walk(root: &Path, at: &Path, texts: &mut BTreeMap<String, String>) {
    let entries = fs::read_dir(at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let name = entry.file_name();
        let is_skipped = ["target", "data", ".git", "node_modules"]
            .iter()
            .any(|s| name == **s);
        if is_skipped {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, texts);
            continue;
        }
        let inside = path
            .strip_prefix(root)
            .expect("it was found below the root");
        let file = inside.to_string_lossy().replace('\\', "/");
        if is_ours(&file)
            && let Ok(text) = fs::read_to_string(&path)
        {
            texts.insert(file, text);
        }
    }
}
