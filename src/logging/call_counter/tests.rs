use crate::logging::call_counter::*;

#[tokio::test]
async fn attempts_are_counted_by_their_own_counter() {
    let (one, other) = (CallCounter::default(), CallCounter::default());
    let work = |header: &'static str| async move {
        count_attempt(Some(header));
        tokio::task::yield_now().await;
        count_attempt(Some("attempt=1; max=8"));
    };
    tokio::join!(
        one.count(work("attempt=1; max=8")),
        other.count(work("attempt=12; max=20"))
    );
    count_attempt(None);
    assert_eq!((one.made(), one.retried()), (2, 0));
    assert_eq!((other.made(), other.retried()), (2, 1));
}
