use super::*;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn first_start_is_immediate_and_others_are_spread() {
    let pace = Pace::per_second(4);
    let began = Instant::now();
    for number in 0..9 {
        pace.wait().await;
        assert_eq!(began.elapsed(), Duration::from_millis(250) * number);
    }
}

#[tokio::test(start_paused = true)]
async fn unused_time_allows_no_burst() {
    let pace = Pace::per_second(4);
    pace.wait().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    pace.wait().await;
    let began = Instant::now();
    pace.wait().await;
    assert_eq!(began.elapsed(), Duration::from_millis(250));
}
