use super::*;

fn open() -> (tempfile::TempDir, Meta) {
    let dir = tempfile::tempdir().unwrap();
    let meta = Meta::open(dir.path()).unwrap().meta;
    (dir, meta)
}

fn state(alert: &str, json: &str) -> AlertState {
    AlertState { alert: alert.into(), rule: "r".into(), json: json.into() }
}

fn new_event(alert: &str, rule: &str, at: i64) -> NewEvent {
    let json = format!(r#"{{"what":"firing","at":{at}}}"#);
    NewEvent { alert: alert.into(), rule: rule.into(), at_unix_nano: at, recorded_unix_nano: at + 1, json }
}

fn new_message(id: &str, channel: &str, created_unix_nano: i64) -> NewMessage {
    NewMessage { id: id.into(), channel: channel.into(), group: "g".into(), json: "{}".into(), created_unix_nano }
}

fn ids(messages: Vec<Message>) -> Vec<String> {
    messages.into_iter().map(|message| message.what.id).collect()
}

#[test]
fn a_step_is_kept_as_a_whole() {
    let (dir, meta) = open();
    let step = Step {
        states: vec![state("a", "1"), state("b", "1")],
        groups: vec![("g".into(), "1".into()), ("h".into(), "1".into())],
        events: vec![new_event("a", "r", 10), new_event("b", "r", 11)],
        outbox: vec![new_message("m", "c", 12)],
        ..Step::default()
    };
    assert_eq!(meta.commit(&step).unwrap(), [1, 2]);
    meta.acknowledge("a", Some("{}"), 13).unwrap();
    let step = Step {
        states: vec![state("b", "2")],
        gone: vec!["a".into()],
        gone_groups: vec!["h".into()],
        ..Step::default()
    };
    meta.commit(&step).unwrap();
    drop(meta);
    let meta = Meta::open(dir.path()).unwrap().meta;
    assert_eq!(meta.alert_states().unwrap(), [state("b", "2")]);
    assert_eq!(meta.alert_groups().unwrap(), BTreeMap::from([("g".to_owned(), "1".to_owned())]));
    assert!(meta.acknowledgements().unwrap().is_empty(), "they end with the alert");
    assert_eq!(meta.messages_due(12, 10).unwrap()[0].what, step_message());
    assert_eq!(meta.next_message().unwrap(), Some(12));
}

fn step_message() -> NewMessage {
    new_message("m", "c", 12)
}

#[test]
fn a_step_that_fails_leaves_nothing_behind() {
    let (_dir, meta) = open();
    meta.db.lock().execute_batch("DROP TABLE alert_outbox").unwrap();
    let step = Step {
        states: vec![state("a", "1")],
        events: vec![new_event("a", "r", 1)],
        outbox: vec![new_message("m", "c", 1)],
        ..Step::default()
    };
    assert!(meta.commit(&step).is_err());
    assert!(meta.alert_states().unwrap().is_empty());
    assert!(meta.events(&EventQuery { to: 100, limit: 10, ..EventQuery::default() }).unwrap().is_empty());
}

#[test]
fn events_are_found_by_time_alert_and_rule() {
    let (_dir, meta) = open();
    let events =
        vec![new_event("a", "r", 30), new_event("b", "s", 20), new_event("a", "r", 10), new_event("a", "r", 40)];
    meta.commit(&Step { events, ..Step::default() }).unwrap();
    let all = EventQuery { from: 0, to: 100, limit: 10, ..EventQuery::default() };
    let times = |query: &EventQuery| -> Vec<i64> {
        meta.events(query).unwrap().into_iter().map(|event| event.what.at_unix_nano).collect()
    };
    assert_eq!(times(&all), [10, 20, 30, 40]);
    assert_eq!(times(&EventQuery { limit: 2, ..all.clone() }), [30, 40], "the newest");
    assert_eq!(times(&EventQuery { from: 20, to: 40, ..all.clone() }), [20, 30]);
    assert_eq!(times(&EventQuery { alert: Some("a".into()), ..all.clone() }), [10, 30, 40]);
    assert_eq!(times(&EventQuery { rule: Some("s".into()), ..all.clone() }), [20]);
    assert_eq!(times(&EventQuery { after: 2, ..all.clone() }), [10, 40]);
    assert_eq!(
        meta.count_events(20, r#""what":"firing""#).unwrap(),
        BTreeMap::from([("r".into(), 2), ("s".into(), 1)])
    );
    assert_eq!(meta.prune_events(15, 2).unwrap(), 2, "one is old, one too many");
    assert_eq!(times(&all), [20, 40], "numbers say which is the oldest");
    let numbers = meta.commit(&Step { events: vec![new_event("a", "r", 50)], ..Step::default() }).unwrap();
    assert_eq!(numbers, [5], "no number is given twice");
}

#[test]
fn a_message_that_came_only_in_part_says_so() {
    let (_dir, meta) = open();
    meta.commit(&Step { outbox: vec![new_message("m1", "c", 5)], ..Step::default() }).unwrap();
    let retry = Attempted::Retry { next_unix_nano: 50, error: "no answer".into() };
    meta.attempted("m1", &retry, 21).unwrap();
    let in_part = Attempted::Delivered { but: Some("one is refused".into()) };
    let delivered = meta.attempted("m1", &in_part, 52).unwrap().unwrap();
    assert_eq!((delivered.state, delivered.error.as_deref()), (MessageState::Delivered, Some("one is refused")));
}

#[test]
fn a_message_is_tried_until_it_is_over() {
    let (_dir, meta) = open();
    let outbox = vec![new_message("m1", "c", 10), new_message("m2", "d", 20), new_message("m3", "c", 30)];
    let step = Step { outbox, ..Step::default() };
    meta.commit(&step).unwrap();
    assert_eq!(ids(meta.messages_due(20, 10).unwrap()), ["m1", "m2"]);
    let retry = Attempted::Retry { next_unix_nano: 50, error: "no answer".into() };
    let tried = meta.attempted("m1", &retry, 21).unwrap().unwrap();
    assert_eq!((tried.attempts, tried.next_unix_nano, tried.error.as_deref()), (1, Some(50), Some("no answer")));
    assert_eq!(ids(meta.messages_due(40, 10).unwrap()), ["m2"], "an older one of its group and channel is on its way");
    let delivered = meta.attempted("m1", &Attempted::Delivered { but: None }, 51).unwrap().unwrap();
    assert_eq!((delivered.state, delivered.attempts, delivered.error), (MessageState::Delivered, 2, None));
    assert_eq!(meta.attempted("m1", &retry, 52).unwrap(), None, "what is over stays over");
    meta.attempted("m2", &Attempted::Failed { error: "gone".into() }, 53).unwrap();
    meta.commit(&step).unwrap();
    assert_eq!(ids(meta.messages_due(100, 10).unwrap()), ["m3"], "the same message is not sent again");
    assert_eq!(ids(meta.messages(None, 10).unwrap()), ["m3", "m2", "m1"]);
    assert_eq!(ids(meta.messages(Some("c"), 1).unwrap()), ["m3"]);
    let counts = BTreeMap::from([
        ("c".to_owned(), Deliveries { delivered: 1, failed: 0, waiting: 1 }),
        ("d".to_owned(), Deliveries { delivered: 0, failed: 1, waiting: 0 }),
    ]);
    assert_eq!(meta.deliveries().unwrap(), counts);
    assert_eq!(meta.prune_messages(15, 0).unwrap(), 2);
    assert_eq!(ids(meta.messages(None, 10).unwrap()), ["m3"], "what is on its way stays");
    assert_eq!(meta.deliveries().unwrap(), counts, "and counts do");
}
