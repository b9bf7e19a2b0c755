//! What a store keeps over restarts, and which files it refuses.

use super::*;

#[tokio::test]
async fn rows_and_places_are_there_after_a_restart_and_lazy_ones_with_durable_ones() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), 7).expect("a new store");
    store.advance("kafka", &Cursor::new(7, [1, 2]));
    store.write("consumer/a", Some(&"one"));
    assert_eq!(store.read("consumer/a"), Ok(Some("one".to_owned())));
    let durable = store.write_durably("consumer/b", Some(&"two")).await;
    assert_eq!(durable, Ok(()));
    store.write::<String>("consumer/a", None);
    let all = store
        .scan::<String>("consumer/", None, 9)
        .expect("it reads");
    assert_eq!(all, [("consumer/b".to_owned(), "two".to_owned())]);
    store.stop();
    drop(store);
    let store = Store::open(dir.path(), 7).expect("its own store");
    assert_eq!(store.read::<String>("consumer/a"), Ok(None));
    assert_eq!(store.cursor("kafka"), Some(Cursor::new(7, [1, 2])));
    assert_eq!(store.slowest(1), Some(2));
    store.forget("kafka");
    assert_eq!((store.sinks(), store.slowest(1)), (Vec::new(), None));
    store.stop();
}

#[tokio::test]
async fn lists_go_on_after_a_key_with_what_is_not_written_yet_among_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path(), 7).expect("a new store");
    for name in ["a", "c", "e"] {
        store.write(&format!("x/{name}"), Some(&name));
    }
    store.settled().await.expect("it writes");
    store.write("x/b", Some(&"b"));
    store.write::<String>("x/c", None);
    store.write("y/a", Some(&"no"));
    let page = |after, limit| {
        let rows = store.scan::<String>("x/", after, limit).expect("it reads");
        rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2), ["a", "b"]);
    assert_eq!(page(Some("x/b"), 2), ["e"]);
    store.stop();
}

#[test]
fn another_stocks_store_and_a_damaged_one_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    Store::open(dir.path(), 7).expect("a new store").stop();
    let foreign = Store::open(dir.path(), 8).err();
    assert!(matches!(
        foreign,
        Some(StoreError::Foreign {
            found: 7,
            expected: 8,
            ..
        })
    ));
    let path = dir.path().join(FILE);
    let whole = std::fs::read(&path).expect("it is there");
    std::fs::write(&path, &whole[..whole.len() / 3]).expect("it is ours");
    let cut = Store::open(dir.path(), 7).err();
    assert!(matches!(cut, Some(StoreError::Damaged { .. })), "{cut:?}");
    std::fs::write(&path, vec![0x5a; whole.len()]).expect("it is ours");
    let other = Store::open(dir.path(), 7).err();
    assert!(
        matches!(other, Some(StoreError::Damaged { .. })),
        "{other:?}"
    );
}
