use crate::logging::call_counter::*;

#[tokio::test]
async fn attempts_are_counted_where_they_belong() {
    let (one, other) = (Calls::default(), Calls::default());
    let work = |header: &'static str| async move {
        attempted(Some(header));
        tokio::task::yield_now().await;
        attempted(Some("attempt=1; max=8"));
    };
    tokio::join!(
        one.count(work("attempt=1; max=8")),
        other.count(work("attempt=12; max=20"))
    );
    attempted(None);
    assert_eq!((one.made(), one.retried()), (2, 0));
    assert_eq!((other.made(), other.retried()), (2, 1));
}
