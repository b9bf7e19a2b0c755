//! The demo, whole: the real binary as the server, killed in the middle of a smaller sale.

use std::{path::PathBuf, time::Duration};

use holdfast::{
    demo::{Afterwards, Options, run},
    progress::Show,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_over_a_kill_is_proved_and_leaves_nothing_behind() {
    let options = Options {
        binary: PathBuf::from(env!("CARGO_BIN_EXE_holdfast")),
        buyers: 1_500,
        units: 150,
        rush: Duration::from_secs(3),
        seed: 7,
        afterwards: Afterwards::Remove,
        show: Show::Nothing,
    };
    let report = run(options).await.expect("the demo runs to its end");
    assert!(report.proved, "{:#?}", report.proof);
    assert!(
        report.crash.acknowledged > 0,
        "the kill came before the first sale"
    );
    assert!(report.sold > 0 && report.sold <= 150);
    assert_eq!(report.endings.values().sum::<u64>(), 1_500);
    assert_eq!(report.kept, None);
}
