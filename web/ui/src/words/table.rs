//! The table.

use super::Phrase;

macro_rules! phrases {
    ($($name:ident $en:literal $ko:literal;)*) => {
        /// Everything the dashboard says.
        #[allow(missing_docs, reason = "the phrase is its own documentation")]
        pub mod say {
            use super::Phrase;
            $(pub const $name: Phrase = Phrase { en: $en, ko: $ko };)*
        }

        /// Every phrase with its name.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, Phrase)] = &[$((stringify!($name), say::$name)),*];
    };
}

phrases! {
    // Frame.
    OVERVIEW "Overview" "개요";
    SERVICES "Services" "서비스";
    TRACES "Traces" "트레이스";
    LOGS "Logs" "로그";
    METRICS "Metrics" "메트릭";
    HEALTH "Health" "상태";
    MAIN_MENU "Main menu" "주 메뉴";
    SKIP "Skip to content" "본문으로 건너뛰기";
    SEARCH "Search" "검색";
    PALETTE "Command palette" "명령 팔레트";
    PALETTE_HINT "Go to a page, a service, a trace id, or run a command…" "페이지, 서비스, 트레이스 ID로 이동하거나 명령 실행…";
    PAGE "Page" "페이지";
    ACTION "Action" "동작";
    OPEN_TRACE "Open trace {id}" "트레이스 {id} 열기";
    SEARCH_LOGS "Search logs for “{text}”" "로그에서 “{text}” 검색";
    APPEARANCE "Appearance" "화면 설정";
    THEME "Theme" "테마";
    THEME_DARK "Dark" "다크";
    THEME_LIGHT "Light" "라이트";
    THEME_SYSTEM "Follow system" "시스템 설정 따름";
    LANGUAGE "Language" "언어";
    ENVIRONMENT "Environment" "환경";
    ALL_ENVIRONMENTS "All environments" "모든 환경";
    REFRESH "Refresh" "새로고침";
    LIVE "Live" "실시간";
    LIVE_HINT "New data appears by itself" "새 데이터를 자동으로 표시";
    TRACE_TITLE "Trace {id}" "트레이스 {id}";
    NOT_FOUND "Not found" "찾을 수 없음";
    NO_SUCH_PAGE "There is no such page." "없는 페이지입니다.";
    PAGE_NOT_LOADED "This page could not be loaded. Is the server reachable?" "이 페이지를 불러오지 못했습니다. 서버에 연결할 수 있는지 확인해 주세요.";
    RELOAD "Reload" "새로고침";
    TO_OVERVIEW "Go to the overview" "개요로 이동";
    CLOSE "Close" "닫기";

    // Time.
    TIME "Time" "시각";
    TIME_RANGE "Time range" "시간 범위";
    FROM "From" "시작";
    TO "To" "끝";
    APPLY "Apply" "적용";
    RANGE_WRONG "The start must lie before the end." "시작이 끝보다 앞서야 합니다.";
    NOW "now" "방금";
    SECONDS_AGO "{n} s ago" "{n}초 전";
    MINUTES_AGO "{n} min ago" "{n}분 전";
    HOURS_AGO "{n} h ago" "{n}시간 전";
    DAYS_AGO "{n} d ago" "{n}일 전";
    LAST_SECONDS "last {n} s" "최근 {n}초";
    LAST_MINUTES "last {n} min" "최근 {n}분";
    LAST_HOURS "last {n} h" "최근 {n}시간";
    LAST_DAYS "last {n} d" "최근 {n}일";

    // States.
    LOADING "Loading" "불러오는 중";
    RETRY "Retry" "다시 시도";
    CANCEL "Cancel" "취소";
    RUNNING_FOR "Running for {n} s" "{n}초째 실행 중";
    REQUEST_ID "Request id" "요청 ID";
    PARTIAL "partial" "일부만 표시";
    UPDATED "updated {ago}" "{ago} 갱신";
    SERVER_UNREACHABLE "The server cannot be reached. Is Orrery still running?" "서버에 연결할 수 없습니다. Orrery가 실행 중인지 확인하세요.";
    ANSWER_UNREADABLE "The server's answer could not be read; reload the page to match its version." "서버의 응답을 읽을 수 없습니다. 버전을 맞추려면 페이지를 새로고침하세요.";
    NOTHING_SENT "Nothing has been sent yet. Point an OpenTelemetry exporter at one of these endpoints:" "아직 수신한 데이터가 없습니다. OpenTelemetry 익스포터를 다음 주소로 설정하세요.";
    NOTHING_IN_RANGE "No data in this range ({range})." "이 범위({range})에 데이터가 없습니다.";
    SHOW_LAST_DAY "Show the last 24 h" "최근 24시간 보기";
    COPY_WHAT "Copy: {what}" "복사: {what}";
    COPIED "Copied" "복사됨";

    // Words of telemetry.
    SERVICE "Service" "서비스";
    OPERATION "Operation" "작업";
    OPERATIONS "Operations" "작업";
    KIND "Kind" "종류";
    NAME "Name" "이름";
    STATUS "Status" "상태";
    RATE "Rate" "처리율";
    REQUESTS "Requests" "요청";
    ERRORS "Errors" "오류";
    ERROR "Error" "오류";
    P50 "p50" "p50";
    P95 "p95" "p95";
    P99 "p99" "p99";
    LATENCY "Latency" "지연 시간";
    DURATION "Duration" "소요 시간";
    COUNT "Count" "건수";
    VERSIONS "Versions" "버전";
    INSTANCES "Instances" "인스턴스";
    LAST_SEEN "Last seen" "마지막 수신";
    FIRST_SEEN "First seen" "처음 수신";
    TRACE "Trace" "트레이스";
    SPANS "Spans" "스팬";
    LOG_RECORDS "Log records" "로그 레코드";
    DATA_POINTS "Data points" "데이터 포인트";
    ATTRIBUTES "Attributes" "속성";
    RESOURCE "Resource" "리소스";
    EVENTS "Events" "이벤트";
    LINKS "Links" "링크";
    TRACE_ID "Trace id" "트레이스 ID";
    SPAN_ID "Span id" "스팬 ID";
    CALLER "Caller" "호출자";
    CALLEE "Callee" "피호출자";
    CALLERS "Callers" "호출하는 쪽";
    CALLEES "Calls" "호출 대상";
    MORE "More" "더 보기";
    EXAMPLE "Example" "예시";
    CHART "chart" "차트";
    SUCCEEDED "Succeeded" "성공";

    HEALTH_OK "healthy" "정상";
    HEALTH_DEGRADED "degraded" "저하";
    HEALTH_FAILING "failing" "장애";
    HEALTH_UNKNOWN "no data" "데이터 없음";

    KIND_CLIENT "Client" "클라이언트";
    KIND_GATEWAY "Gateway" "게이트웨이";
    KIND_AUTH "Authentication" "인증";
    KIND_SERVICE "Service" "서비스";
    KIND_JOB "Job" "작업 프로세스";
    KIND_DATABASE "Database" "데이터베이스";
    KIND_QUEUE "Queue" "큐";
    KIND_EXTERNAL "External" "외부 시스템";
    KIND_MODEL "Model" "모델";
    KIND_FUNCTION "Function" "함수";
    KIND_USER "Users" "사용자";
    KIND_UNKNOWN_CALLER "Unknown callers" "알 수 없는 호출자";

    // The map: groups, search, surroundings, comparison, reach.
    FIND_HINT "Enter goes to the next, Shift+Enter to the one before" "Enter: 다음, Shift+Enter: 이전";
    FOUND "{n} found" "{n}개";
    FOUND_AT "{at} of {n}" "{n}개 중 {at}번째";
    UNPIN_ALL "Unpin all" "고정 모두 해제";
    GROUPS "Groups" "그룹";
    GROUP "Group" "그룹";
    GROUPS_HINT "By service.namespace, with what only they use. Big maps begin closed." "service.namespace별로 묶고, 그 그룹만 쓰는 것도 포함합니다. 큰 맵은 닫힌 상태로 시작합니다.";
    OPEN_ALL "Open all" "모두 펼치기";
    CLOSE_ALL "Close all" "모두 접기";
    AUTOMATIC "Automatic" "자동";
    OPEN_GROUP "Open group" "그룹 펼치기";
    CLOSE_GROUP "Close group {name}" "{name} 그룹 접기";
    MEMBERS "{n} nodes" "노드 {n}개";
    SLOWEST_OF_GROUP "Durations are those of the slowest." "소요 시간은 가장 느린 노드 기준입니다.";
    CALLS_OF_EDGE "Calls between them" "서로 간의 호출";
    KINDS "Kinds" "종류";
    KINDS_HINT "What is on the map" "맵에 표시할 종류";
    AROUND "Look around" "주변 보기";
    AROUND_NODE "Around {name}" "{name} 주변";
    HOPS "{n} calls away" "호출 {n}단계";
    ONE_HOP "1 call away" "호출 1단계";
    MORE_HOPS "One call further" "한 단계 더";
    FEWER_HOPS "One call less" "한 단계 덜";
    SHOWN_OF "{n} of {all} nodes" "노드 {all}개 중 {n}개";
    SHOW_ALL "Show all" "전체 보기";
    NOTHING_SHOWN "Nothing of this map is shown: everything is filtered out." "필터로 인해 표시할 항목이 없습니다.";
    COMPARE "Compare" "비교";
    COMPARE_WITH "Compare with" "비교 대상";
    COMPARE_PREVIOUS "The time before, as long" "직전 같은 길이의 시간";
    COMPARE_DAY "The same time yesterday" "어제 같은 시각";
    COMPARE_WEEK "The same time last week" "지난주 같은 시각";
    COMPARE_OWN "Another range" "다른 범위";
    COMPARED_WITH "Compared with {range}" "{range}와 비교";
    COMPARE_END "End comparison" "비교 끝내기";
    CHANGES_FOUND "{n} changes" "변경 {n}건";
    NO_CHANGES "Nothing stands out between the two ranges." "두 범위 사이에 눈에 띄는 변화가 없습니다.";
    EXPLAINED_BY "because of {name}" "원인: {name}";
    RULE "What counts as a change?" "변경으로 보는 기준";
    RULE_ERRORS "More errors: the failed share rose by {share} or more, by half, and by more than chance explains; {calls} calls or more on both sides." "오류 증가: 실패 비율이 {share} 이상, 절반 이상, 우연으로 볼 수 없을 만큼 늘었고 양쪽 호출이 {calls}건 이상.";
    RULE_SLOWER "Slower: p95 rose by half and by {nanos} or more; {calls} calls or more on both sides." "느려짐: p95가 절반 이상, {nanos} 이상 늘었고 양쪽 호출이 {calls}건 이상.";
    RULE_NEW "New, gone: nothing on the other side, although {expected} calls or more were to be expected there." "추가됨, 사라짐: 호출이 {expected}건 이상 예상되는데 다른 쪽에는 전혀 없음.";
    RULE_RATE "Rate: calls per second at least doubled or halved; {calls} calls or more on one side." "처리율: 초당 호출이 2배 이상 늘거나 절반 이하로 줄었고 한쪽 호출이 {calls}건 이상.";
    RULE_EXPLAINED "A change that goes with the same change of what is called comes after it. What has not changed is faded on the map." "호출 대상의 같은 변화에 따른 변화는 그 뒤에 표시합니다. 바뀌지 않은 것은 맵에서 흐리게 표시합니다.";
    TOLD_NEW "new, {now}" "추가됨, {now}";
    TOLD_NEW_EXTERNAL "new external, {now}" "새 외부 시스템, {now}";
    TOLD_GONE "gone, had {before}" "사라짐, 이전 {before}";
    MARK_NEW "+ new" "+ 추가됨";
    MARK_NEW_EXTERNAL "+ new external" "+ 새 외부";
    MARK_GONE "− gone" "− 사라짐";
    MARK_MORE_ERRORS "↑ errors {now}" "↑ 오류 {now}";
    MARK_FEWER_ERRORS "↓ errors {now}" "↓ 오류 {now}";
    MARK_SLOWER "↑ p95 {now}" "↑ p95 {now}";
    MARK_FASTER "↓ p95 {now}" "↓ p95 {now}";
    MARK_BUSIER "~ rate up {now}" "~ 처리율 증가 {now}";
    MARK_QUIETER "~ rate down {now}" "~ 처리율 감소 {now}";
    MARKED_MEMBERS "{n} of {all}" "{all}개 중 {n}개";
    MARK_AFFECTED "↑ {share} fail" "↑ {share} 실패";
    MARK_HELD "↓ held {share}" "↓ {share} 방어";
    MARK_BEGINS "! {share} begin here" "! {share} 여기서 시작";
    BEFORE_AND_AFTER "Before and after {version}" "{version} 전후 비교";
    BEFORE "Before" "이전";
    NOW_SIDE "Now" "현재";
    REACH "Blast radius" "영향 범위";
    REACH_ON_MAP "Show on the map" "맵에 표시";
    REACH_HINT "Estimated from the edges of this range: failures are laid to failed calls, as far as there are any." "이 범위의 연결에서 추정: 실패한 호출이 있으면 그 호출을 원인으로 봅니다.";
    NO_REACH "Nobody else fails because of it." "이로 인해 실패하는 다른 서비스는 없습니다.";
    AFFECTED "Affected" "영향받음";
    ENTRY_POINT "entry point" "진입점";
    OF_REQUESTS "of its requests" "전체 요청 대비";
    GOES_THROUGH "up to {share} go through" "최대 {share} 경유";
    HELD "Held" "방어함";
    HELD_OF "{n} of {all} failed calls did not fail a request" "실패한 호출 {all}건 중 {n}건은 요청 실패로 이어지지 않음";
    BEGINS "Where its failures begin" "실패가 시작된 곳";
    BEGINS_ITSELF "in itself" "자체";
    BEGINS_BETWEEN "between {caller} and {callee}" "{caller}와(과) {callee} 사이";
    HANDLED "Handled errors" "처리된 오류";

    // Overview.
    SUMMARY "Summary" "요약";
    ALL_FINE "All healthy" "모두 정상";
    SLOWEST_P99 "Slowest p99" "가장 느린 p99";
    MAP "Service map" "서비스 맵";
    MAP_LABEL "Service map: {nodes} nodes, {edges} edges. Arrow keys move, Enter opens." "서비스 맵: 노드 {nodes}개, 연결 {edges}개. 화살표 키로 이동하고 Enter로 엽니다.";
    NODES "Nodes" "노드";
    EDGES "Edges" "연결";
    VIEW_AS_TABLE "View as table" "표로 보기";
    VIEW_AS_MAP "View as map" "맵으로 보기";
    FIND_ON_MAP "Find on the map" "맵에서 찾기";
    ZOOM_IN "Zoom in" "확대";
    ZOOM_OUT "Zoom out" "축소";
    FIT "Fit the map" "맵 전체 보기";
    LEGEND "Legend" "범례";
    LEGEND_DEGRADED "degraded: 1 % to 5 % failed" "저하: 1~5 % 실패";
    LEGEND_FAILING "failing: 5 % or more failed" "장애: 5 % 이상 실패";
    LEGEND_UNKNOWN "no data, which is not healthy" "데이터 없음(정상이라는 뜻은 아님)";
    LEGEND_WIDTH "Width of a line: requests per second" "선의 굵기: 초당 요청 수";
    LEGEND_DOTS "Density of dots: requests per second" "점의 밀도: 초당 요청 수";
    LEGEND_SPEED "Speed of dots: response time" "점의 속도: 응답 시간";
    LEGEND_DIAMOND "Red diamond: a failed request" "빨간 마름모: 실패한 요청";
    LEGEND_DASHED "Dashed line: messages" "점선: 메시지";
    LEGEND_KEYS "Drag to move, Ctrl and wheel to zoom. A node that is dragged stays there." "드래그로 이동, Ctrl과 휠로 확대·축소. 노드를 끌면 그 자리에 고정됩니다.";
    LEGEND_KEYBOARD "Keys: arrows move, Enter chooses, Space opens or closes a group, F looks around, Shift and arrows put a node elsewhere, Delete lets it go, / finds." "키: 화살표 이동, Enter 선택, Space 그룹 펼치기·접기, F 주변 보기, Shift+화살표 노드 옮기기, Delete 고정 해제, / 찾기.";
    WHAT_CHANGED "What changed" "변경 사항";
    NOTHING_CHANGED "Nothing stands out in this range." "이 범위에는 눈에 띄는 변화가 없습니다.";
    CHANGED_VERSION "new version {version}" "새 버전 {version}";
    CHANGED_ERRORS "errors {before} → {now}" "오류 {before} → {now}";
    CHANGED_LATENCY "p95 {before} → {now}" "p95 {before} → {now}";
    CHANGED_RATE "rate {before} → {now}" "처리율 {before} → {now}";
    ERROR_GROUPS "Errors by message" "메시지별 오류";
    NO_ERRORS "No errors in this range." "이 범위에 오류가 없습니다.";
    FAILED_TRACES "Failed traces" "실패한 트레이스";
    EDGE_CALL "Request and response" "요청과 응답";
    EDGE_DATABASE "Database query" "데이터베이스 질의";
    EDGE_PUBLISH "Messages published" "메시지 발행";
    EDGE_CONSUME "Messages consumed" "메시지 소비";
    SEEN_BY_CALLER "Seen by the caller" "호출자 기준";
    SEEN_BY_CALLEE "Seen by the callee" "피호출자 기준";
    NETWORK_TIME "Network and queueing" "네트워크·대기";
    QUEUE_LAG "Time in the queue" "큐 대기 시간";
    INFERRED "Inferred from names, not from matched spans." "스팬 대응이 아니라 이름으로 추정한 연결입니다.";

    // Services.
    FIND_SERVICE "Find a service" "서비스 찾기";
    REQUESTS_AND_ERRORS "Requests and errors" "요청과 오류";
    NO_SPANS_OF "No spans for {name} in this range ({range})." "이 범위({range})에 {name}의 스팬이 없습니다.";
    NO_OPERATIONS "No operations in this range." "이 범위에 작업이 없습니다.";
    NONE_SEEN "None seen in this range." "이 범위에 없습니다.";
    OPEN_EXAMPLE "Open example" "예시 열기";
    RECENT_TRACES "Recent traces" "최근 트레이스";
    ALL_TRACES "All traces" "모든 트레이스";
    NO_TRACES_HERE "No traces in this range." "이 범위에 트레이스가 없습니다.";

    // Traces.
    FILTER "Filter" "필터";
    FILTER_TRACES "service:cart  status:error  >250ms  http.route=/cart, or a trace id" "service:cart  status:error  >250ms  http.route=/cart 또는 트레이스 ID";
    FILTER_LOGS "severity:warn  service:cart  any text" "severity:warn  service:cart  임의의 텍스트";
    NO_FILTER "“{word}” is no filter. Write key=value, service:name, status:error or >250ms." "“{word}”은(는) 필터가 아닙니다. key=value, service:이름, status:error, >250ms처럼 입력하세요.";
    REMOVE_WHAT "Remove {what}" "{what} 제거";
    CLEAR "Clear" "지우기";
    CLEAR_FILTERS "Clear filters" "필터 지우기";
    HINT_SERVICE "by service" "서비스";
    HINT_OPERATION "by span name" "스팬 이름";
    HINT_ERROR "failed" "실패";
    HINT_OK "not failed" "성공";
    HINT_SLOW "slower than" "보다 느림";
    HINT_FAST "faster than" "보다 빠름";
    HINT_ATTRIBUTE "any attribute" "임의의 속성";
    HINT_SEVERITY "this level or worse" "이 수준 이상";
    HINT_TRACE "of a trace" "트레이스";
    DURATIONS "Durations" "소요 시간 분포";
    DURATIONS_HINT "each dot is a trace; click to open" "점 하나가 트레이스 하나입니다. 클릭하면 열립니다.";
    TRACES_SHOWN "{n} shown" "{n}개 표시";
    LOAD_MORE "Load more" "더 불러오기";
    NO_TRACES "No trace matches these filters in this range ({range})." "이 범위({range})에 필터와 일치하는 트레이스가 없습니다.";
    NO_ROOT "root missing" "루트 없음";

    // Trace.
    NO_TRACE_ID "This is no trace id: it has 32 hexadecimal digits." "트레이스 ID가 아닙니다. 16진수 32자리여야 합니다.";
    TRACE_EMPTY "No span of this trace is stored. It may be older than the retention." "저장된 스팬이 없습니다. 보존 기간이 지났을 수 있습니다.";
    N_ERRORS "{n} errors" "오류 {n}개";
    CRITICAL_SHARE "Critical path by service" "서비스별 임계 경로";
    CRITICAL_PATH "Critical path" "임계 경로";
    WATERFALL "Waterfall" "워터폴";
    WATERFALL_LABEL "Waterfall. j and k move, brackets go to siblings, e to the next error, w and s zoom." "워터폴. j와 k로 이동, 대괄호로 형제 스팬, e로 다음 오류, w와 s로 확대·축소.";
    MINIMAP "All spans; drag to choose a part, click for the whole" "모든 스팬. 드래그로 구간 선택, 클릭으로 전체 보기";
    FIND_SPAN "Find spans" "스팬 찾기";
    N_FOUND "{n} found" "{n}개 찾음";
    NEXT_ERROR "Next error" "다음 오류";
    FOLD "Fold" "접기";
    EXPAND "Expand" "펼치기";
    AFTER_START "after {after}" "시작 후 {after}";
    SIMILAR "Similar traces" "비슷한 트레이스";
    DOWNLOAD "Download" "다운로드";
    VIEW "View" "보기";
    FLAME_GRAPH "Flame graph" "플레임 그래프";
    FLAME_LABEL "Flame graph: how much time was spent where. The table has the same spans." "플레임 그래프: 어디에서 시간이 쓰였는지 보여 줍니다. 같은 스팬을 표에서도 볼 수 있습니다.";
    FLAME_LINE "×{n} · total {total} · self {self}" "×{n} · 전체 {total} · 자체 {self}";
    FLAME_HINT "Width is time spent; spans alike are added up. Click to look closer." "너비는 쓰인 시간이며, 같은 스팬은 합산합니다. 클릭하면 확대합니다.";
    TABLE "Table" "표";
    SERVICE_MAP "Map" "맵";
    START "Start" "시작";
    SELF_TIME "Self" "자체 시간";
    NO_LOGS_OF_TRACE "No logs carry this trace's id." "이 트레이스 ID가 있는 로그가 없습니다.";
    WITHIN_P50 "Faster than half of this operation's calls" "이 작업 호출의 절반보다 빠름";
    BEYOND_P50 "Slower than p50 of this operation" "이 작업의 p50보다 느림";
    BEYOND_P95 "Slower than p95 of this operation" "이 작업의 p95보다 느림";
    BEYOND_P99 "Slower than p99 of this operation" "이 작업의 p99보다 느림";
    PARENT_MISSING "Its parent has not been received: it may be late, lost, or not sampled." "부모 스팬을 받지 못했습니다. 늦거나, 유실되었거나, 샘플링되지 않았을 수 있습니다.";
    SKEW_BEFORE "Begins {by} before its caller did: the two clocks differ. Times are shown as sent." "호출한 스팬보다 {by} 먼저 시작합니다. 두 시계가 서로 다르며, 시각은 받은 그대로 표시합니다.";
    SKEW_AFTER "Ends {by} after its caller did: the two clocks differ. Times are shown as sent." "호출한 스팬보다 {by} 늦게 끝납니다. 두 시계가 서로 다르며, 시각은 받은 그대로 표시합니다.";
    NO_LOGS_OF_SPAN "No logs of this span." "이 스팬의 로그가 없습니다.";

    // Logs.
    LOGS_BY_LEVEL "Records by level" "수준별 레코드";
    NO_LOGS "No log record matches these filters in this range ({range})." "이 범위({range})에 필터와 일치하는 로그가 없습니다.";
    SKIPPED "{n} skipped" "{n}개 건너뜀";
    NEW_RECORDS "{n} new" "새 로그 {n}개";
    PAUSE "Pause" "일시정지";
    RESUME "Resume" "재개";
    SHOW_TRACE "Show trace" "트레이스 보기";
    SHOW_AROUND "Show around" "전후 보기";
    COPY_AS_JSON "Copy as JSON" "JSON으로 복사";

    // Metrics.
    FIND_METRIC "Find a metric" "메트릭 찾기";
    FUNCTION "Function" "함수";
    GROUP_BY "Group by" "그룹 기준";
    NOT_GROUPED "not grouped" "그룹 없음";
    REPORTED_BY " · reported by {services}" " · {services}에서 보고";
    NO_POINTS "No data points in this range." "이 범위에 데이터 포인트가 없습니다.";
    SERIES "Series" "시계열";
    LAST "last" "마지막";
    MEAN "mean" "평균";
    AGGREGATE_DEFAULT "automatic" "자동";
    AGGREGATE_AVG "average" "평균";
    AGGREGATE_SUM "sum" "합계";
    AGGREGATE_MIN "min" "최소";
    AGGREGATE_MAX "max" "최대";
    AGGREGATE_RATE "rate" "초당 증가";

    // Health.
    WARNINGS "Warnings" "경고";
    HOSTS "Hosts" "호스트";
    HOST "Host" "호스트";
    NO_HOSTS "No host reports in this range. Start the agent on a host:" "이 범위에 보고한 호스트가 없습니다. 호스트에서 에이전트를 시작하세요.";
    SATURATION "Fullest of processor, memory and file system" "프로세서·메모리·파일 시스템 중 최대 사용률";
    CPU "CPU" "CPU";
    CPU_MEAN "CPU since start" "시작 이후 CPU";
    MEMORY "Memory" "메모리";
    FILESYSTEM "File system" "파일 시스템";
    LOAD "Load" "부하";
    NETWORK "Network" "네트워크";
    DISK "Disk" "디스크";
    OWN_HEALTH "Orrery itself" "Orrery 자체 상태";
    RUNNING_SINCE "Version {version}, running since {since}" "버전 {version}, {since}부터 실행 중";
    QUEUE "Queue" "대기열";
    DATA_DIRECTORY "Data directory" "데이터 디렉터리";
    WAL "Write-ahead log" "선행 기록 로그";
    HOT "In memory" "메모리 내";
    SEALED "Sealed" "봉인됨";
    IN_SEGMENTS " in {n} segments" " · 세그먼트 {n}개";
    RSS "Process memory" "프로세스 메모리";
    RETENTION "Retention" "보존 기간";
    OLDEST "Oldest data" "가장 오래된 데이터";
    LIVE_TABS "Live tabs" "실시간 탭";
    SIGNAL "Signal" "신호";
    ACCEPTED "Accepted" "수락";
    DURABLE "Durable" "저장 완료";
    QUERYABLE "Queryable" "조회 가능";
    RECEIVED "Received" "수신량";
    REJECTED "Rejected" "거부";
    REFUSED "Refused" "재시도 요청";
    DROPPED "Dropped" "유실";
    EXPIRED "Expired" "보존 만료";
    EXPIRED_HINT "Removed by retention: too old, too much, or a rule" "보존 정책으로 삭제됨: 기간, 용량 또는 규칙";
    DISK_LOW_TITLE "The disk is almost full: new telemetry is refused." "디스크가 거의 가득 차 새 데이터를 받지 않습니다.";
    DISK_LOW "{free} are free, the reserve is {reserve}. Senders are told to retry; stored data can be read. Free some space or keep less; Orrery goes on by itself." "여유 공간 {free}, 예비 공간 {reserve}. 전송 측에는 재시도를 요청하며 저장된 데이터는 조회할 수 있습니다. 공간을 확보하거나 보존량을 줄이면 자동으로 재개됩니다.";
    TRIMMED "Trimmed" "일부 잘림";
    TRIMMED_HINT "Parts of stored items that were not kept: surplus attributes, ends of long texts" "저장되지 않은 일부: 초과 속성, 긴 텍스트의 끝";
    DASHBOARD_AND_API "Dashboard and API" "대시보드와 API";
    ENDPOINTS "Endpoints" "엔드포인트";
}
