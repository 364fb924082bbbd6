//! What real user agents, and odd ones, are called.

use std::time::{Duration, Instant};

use super::*;

const WEBKIT: &str = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
const BLINK: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)";
const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)";
const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K)";

fn recognizer() -> Recognizer {
    Recognizer::new().unwrap()
}

#[track_caller]
fn assert_called(name: &str, user_agent: &str) {
    assert_eq!(recognizer().recognize(user_agent).to_string(), name, "{user_agent}");
}

#[test]
fn browsers_on_desktops_have_the_names_that_people_know() {
    for (name, user_agent) in [
        ("Firefox on Linux", "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"),
        ("Firefox on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"),
        ("Firefox on macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 Firefox/132.0"),
        ("Firefox on FreeBSD", "Mozilla/5.0 (X11; FreeBSD amd64; rv:131.0) Gecko/20100101 Firefox/131.0"),
        ("Internet Explorer on Windows", "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"),
    ] {
        assert_called(name, user_agent);
    }
    for (name, beginning, end) in [
        ("Chrome on macOS", MAC, "Chrome/131.0.0.0 Safari/537.36"),
        ("Chrome on Windows", WINDOWS, "Chrome/131.0.0.0 Safari/537.36"),
        ("Chrome on Linux", "Mozilla/5.0 (X11; Linux x86_64)", "Chrome/131.0.0.0 Safari/537.36"),
        ("Headless Chrome on Linux", "Mozilla/5.0 (X11; Linux x86_64)", "HeadlessChrome/131.0.0.0 Safari/537.36"),
        ("Chrome on ChromeOS", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)", "Chrome/131.0.0.0 Safari/537.36"),
        ("Edge on Windows", WINDOWS, "Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0"),
        ("Opera on Windows", WINDOWS, "Chrome/131.0.0.0 Safari/537.36 OPR/116.0.0.0"),
        ("Vivaldi on Windows", WINDOWS, "Chrome/131.0.0.0 Safari/537.36 Vivaldi/7.0.3495.6"),
        ("Yandex Browser on Windows", WINDOWS, "Chrome/128.0.0.0 YaBrowser/24.10.0.0 Safari/537.36"),
    ] {
        assert_called(name, &format!("{beginning} {BLINK} {end}"));
    }
    assert_called("Safari on macOS", &format!("{MAC} {WEBKIT} Version/18.1 Safari/605.1.15"));
}

#[test]
fn browsers_on_phones_are_called_as_on_desktops() {
    for (name, end) in [
        ("Safari on iOS", "Version/18.5 Mobile/15E148 Safari/604.1"),
        ("Chrome on iOS", "CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1"),
        ("Firefox on iOS", "FxiOS/132.0 Mobile/15E148 Safari/605.1.15"),
        ("Edge on iOS", "Version/18.0 EdgiOS/131.0.2903.48 Mobile/15E148 Safari/605.1.15"),
        ("Opera on iOS", "Version/18.5 Mobile/15E148 Safari/604.1 OPT/5.1.2"),
        ("DuckDuckGo on iOS", "Version/18.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15"),
    ] {
        assert_called(name, &format!("{IPHONE} {WEBKIT} {end}"));
    }
    for (name, end) in [
        ("Chrome on Android", "Chrome/131.0.0.0 Mobile Safari/537.36"),
        ("Samsung Internet on Android", "SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36"),
        ("Opera on Android", "Chrome/131.0.0.0 Mobile Safari/537.36 OPR/86.0.0.0"),
        ("Edge on Android", "Chrome/131.0.6778.81 Mobile Safari/537.36 EdgA/130.0.2849.80"),
        ("Mi Browser on Android", "Version/4.0 Chrome/118.0.0.0 Mobile Safari/537.36 XiaoMi/MiuiBrowser/14.24.0-gn"),
    ] {
        assert_called(name, &format!("{ANDROID} {BLINK} {end}"));
    }
    assert_called("Firefox on Android", "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0");
    let ipad = "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X)";
    assert_called("Safari on iOS", &format!("{ipad} {WEBKIT} Version/17.6 Mobile/15E148 Safari/604.1"));
}

#[test]
fn browsers_within_apps_are_called_by_the_app_if_it_says_its_name() {
    for (name, end) in [
        ("In-app browser on iOS", "Mobile/15E148"),
        ("Markt on iOS", "Mobile/15E148 Markt/1.4.2"),
        ("Instagram on iOS", "Mobile/15E148 Instagram 356.0.0.34.103 (iPhone14,5; iOS 18_5; en_US; scale=3.00)"),
        ("Facebook on iOS", "Mobile/22F76 [FBAN/FBIOS;FBAV/489.0.0.50.101;FBDV/iPhone14,5;FBSN/iOS;FBSV/18.5]"),
    ] {
        assert_called(name, &format!("{IPHONE} {WEBKIT} {end}"));
    }
    let view = "Mozilla/5.0 (Linux; Android 13; SM-S901B Build/TP1A.220624.014; wv)";
    let end = "Version/4.0 Chrome/131.0.6778.81 Mobile Safari/537.36";
    assert_called("In-app browser on Android", &format!("{view} {BLINK} {end}"));
    assert_called("Markt on Android", &format!("{view} {BLINK} {end} Markt/1.4.2"));
    assert_called("Facebook on Android", &format!("{view} {BLINK} {end} [FB_IAB/FB4A;FBAV/490.0.0.47.82;]"));
    let electron = "Chrome/130.0.6723.59 Electron/33.0.1 Safari/537.36";
    assert_called("Slack on macOS", &format!("{MAC} {BLINK} Slack/4.41.97 {electron}"));
    assert_called("Electron on Windows", &format!("{WINDOWS} {BLINK} {electron}"));
}

#[test]
fn apps_and_tools_are_called_as_they_call_themselves() {
    for (name, user_agent) in [
        ("okhttp", "okhttp/4.9.2"),
        ("Dart", "Dart/3.1 (dart:io)"),
        ("axios", "axios/1.6"),
        ("curl", "curl/8.5.0"),
        ("python-requests", "python-requests/2.31"),
        ("python-httpx", "python-httpx/0.27.2"),
        ("PostmanRuntime", "PostmanRuntime/7.42.0"),
        ("node", "node"),
        ("Markt on iOS", "Markt/1.4.2 CFNetwork/1408 Darwin/22.5.0"),
        ("Markt on iOS", "Markt/2 CFNetwork/9999.1 Darwin/99.0.0"),
        ("Markt on macOS", "Markt/1 CFNetwork/1335 Darwin/21.6.0 (x86_64)"),
        ("Markt App on iOS", "Markt%20App/5 CFNetwork/1410.1 Darwin/22.6.0"),
        ("Expo on iOS", "Expo/1017756.2.28.5 CFNetwork/1410.1 Darwin/22.6.0"),
        ("Markt on iOS", "Markt/1.4.2 (com.example.markt; build:12; iOS 17.5.1) Alamofire/5.9.1"),
        ("Markt App on Android", "Markt App 1.4.2 (Linux; Android 14)"),
        ("Android", "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A.230805.001)"),
        ("Googlebot", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ] {
        assert_called(name, user_agent);
    }
}

#[test]
fn another_version_is_the_same_device() {
    for (one, other) in [
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 16_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/16.3 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/26.0 Mobile/15E148 Safari/604.1",
        ),
        (
            "Mozilla/5.0 (Linux; Android 9; SM-G960F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0.4844.58 \
             Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.0.0 Mobile \
             Safari/537.36",
        ),
        (
            "Mozilla/5.0 (Windows NT 6.1; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 \
             Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/250.0.0.0 \
             Safari/537.36",
        ),
        ("Markt/1.4.2 CFNetwork/720.1 Darwin/14.0.0", "Markt/9 CFNetwork/3860.100.1 Darwin/25.0.0"),
        ("okhttp/3.12.1", "okhttp/5.0.0-alpha.14"),
        ("Markt v1.4.2", "Markt 2"),
    ] {
        assert_eq!(recognizer().recognize(one), recognizer().recognize(other), "{one} and {other}");
    }
}

#[test]
fn another_product_is_another_device() {
    let texts =
        ["okhttp/4.9.2", "okhttp3/4.9.2", "Markt", "Market", "12345", "54321", "(x)", "(y)", "日本/1", "東京/1"];
    let names: std::collections::HashSet<String> =
        texts.iter().map(|text| recognizer().recognize(text).to_string()).collect();
    assert_eq!(names.len(), texts.len(), "{names:?}");
}

#[test]
fn of_a_text_that_says_nothing_known_something_is_left() {
    for (name, user_agent) in [
        ("Foo on Linux", "Mozilla/5.0 (X11; Linux x86_64) Foo/1.0"),
        ("Foo", "Mozilla/5.0 (compatible; Foo/2.0)"),
        ("Mozilla", "Mozilla/5.0"),
        ("1.2.3", "1.2.3"),
        ("/", "/"),
        ("(", "("),
        ("日本 アプリ", "日本 アプリ/1.0"),
        ("\"quoted\"", "\"quoted\"/1"),
        ("' OR", "' OR 1=1 --"),
        ("<b>", "<b>/</b>"),
        ("tabbed out", "tab\0bed\tout\u{7f}/1"),
    ] {
        assert_called(name, user_agent);
    }
}

#[test]
fn who_says_nothing_is_an_unknown_device() {
    for user_agent in ["", " ", "\t"] {
        assert_eq!(recognizer().recognize(user_agent), Device { browser: None, system: None });
        assert_called("Unknown device", user_agent);
    }
}

#[test]
fn what_is_too_long_is_cut_within_no_character() {
    let device = |text: &str| recognizer().recognize(text);
    assert_eq!(device(&"é".repeat(5000)), device(&"é".repeat(127)));
    assert_eq!(device(&"a".repeat(5000)).browser.unwrap().len(), names::MAX_NAME);
}

#[test]
fn a_device_is_remembered_and_stays_what_it_was() {
    let recognizer = recognizer();
    let first = recognizer.recognize("okhttp/4.9.2");
    assert_eq!(recognizer.recognized.get("okhttp/4.9.2"), Some(first.clone()));
    for number in 0..3 * CAPACITY {
        recognizer.recognize(&format!("app{number}/1"));
    }
    assert!(recognizer.recognized.len() <= CAPACITY, "{} are remembered", recognizer.recognized.len());
    assert_eq!(recognizer.recognize("okhttp/4.9.2"), first);
}

/// The words that patterns look for, over and over, and in any order, are the worst that can be sent: each pattern has
/// to be tried in earnest.
#[test]
fn no_text_takes_long() {
    let patterns = Patterns::compile().unwrap();
    let words: Vec<&str> = include_str!("../data/patterns.json").split(|c: char| !c.is_alphanumeric()).collect();
    let mut texts: Vec<String> = ["Mozilla/", "CFNetwork ", "; ", "(", ".", "1", "é", "Android ", "Mac OS X "]
        .iter()
        .map(|word| word.repeat(255 / word.len()))
        .collect();
    texts.extend(words.chunks(30).map(|words| words.join(" ")));
    texts.extend(words.chunks(30).map(|words| format!("Mozilla/5.0 ({}", words.join("/1.2; "))));
    let took = |text: &str| {
        let start = Instant::now();
        patterns.recognize(&text[..text.floor_char_boundary(MAX_TEXT)]);
        start.elapsed()
    };
    // The second time, when what patterns build lazily is built, and the fastest of three, since the machine has other
    // things to do.
    let worst = texts.iter().map(|text| (0..4).map(|_| took(text)).skip(1).min().unwrap()).max().unwrap();
    assert!(worst < Duration::from_millis(20), "{worst:?} for one of {} texts", texts.len());
}
