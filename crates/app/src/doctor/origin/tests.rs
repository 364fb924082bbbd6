//! What browsers do, case by case.

use super::super::testing::config;
use super::*;

const SERVICE: &str = "https://auth.example.com";
const PRODUCTION: (&str, &str) = ("env", "production");

fn judged(page: &str, service: &str, settings: &[(&str, &str)]) -> Judgement {
    judge(&config(settings), &page.parse().unwrap(), Some(&service.parse().unwrap()), true)
}

/// The ids of the needed rules that a login there doesn't get past, and its verdict.
fn login(page: &str, service: &str, settings: &[(&str, &str)]) -> (Verdict, String) {
    let judgement = judged(page, service, settings);
    let failing = if judgement.login() == Verdict::Yes { String::new() } else { judgement.failing() };
    (judgement.login(), failing)
}

fn verdict(judgement: &Judgement, id: &str) -> Verdict {
    judgement.rules.iter().find(|rule| rule.id == id).unwrap_or_else(|| panic!("no rule {id}")).verdict
}

#[test]
fn whether_a_login_works_is_told_with_the_rules_that_it_fails_by() {
    use Verdict::{Differs, No, Yes};
    let same_site = "https://app.example.com";
    let cross_site = "https://app.example.org";
    let allow = |page| ("cors.allowed_origins", page);
    let none = ("cookie.same_site", "None");
    let partitioned = ("cookie.partitioned", "true");
    let secure = ("cookie.secure", "true");
    type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Verdict, &'a str);
    let rows: [Row; 20] = [
        (SERVICE, SERVICE, &[PRODUCTION], Yes, ""),
        (same_site, SERVICE, &[PRODUCTION, allow(same_site)], Yes, ""),
        (same_site, SERVICE, &[PRODUCTION], No, "preflight, cross-origin-rule"),
        (cross_site, SERVICE, &[PRODUCTION, allow(cross_site)], No, "stored-on-fetch, sent-on-fetch"),
        (cross_site, SERVICE, &[PRODUCTION, allow(cross_site), none], Differs, "third-party"),
        (cross_site, SERVICE, &[PRODUCTION, allow(cross_site), none, partitioned], Yes, ""),
        (cross_site, SERVICE, &[allow(cross_site), none], No, "secure, stored-on-fetch"),
        (cross_site, SERVICE, &[PRODUCTION, allow(cross_site), ("auth.mode", "jwt")], Yes, ""),
        (
            "http://app.example.com",
            SERVICE,
            &[PRODUCTION, allow("http://app.example.com")],
            No,
            "stored-on-fetch, sent-on-fetch",
        ),
        (
            same_site,
            "http://auth.example.com",
            &[allow(same_site)],
            No,
            "mixed-content, stored-on-fetch, sent-on-fetch",
        ),
        ("http://app.example.com", "http://auth.example.com", &[allow("http://app.example.com")], Yes, ""),
        (
            "http://app.example.com",
            "http://auth.example.com",
            &[allow("http://app.example.com"), secure],
            No,
            "secure, stored-on-fetch",
        ),
        ("http://localhost:3000", "http://localhost:8000", &[], Yes, ""),
        ("http://localhost:3000", "http://127.0.0.1:8000", &[], No, "stored-on-fetch, sent-on-fetch"),
        ("http://localhost:3000", "http://localhost:8000", &[secure], Differs, "secure, stored-on-fetch"),
        ("http://localhost:5173", "http://localhost:8000", &[], No, "preflight, cross-origin-rule"),
        (same_site, SERVICE, &[PRODUCTION, allow(same_site), ("cookie.domain", "example.com")], Yes, ""),
        (
            same_site,
            SERVICE,
            &[PRODUCTION, allow(same_site), ("cookie.domain", "app.example.com")],
            No,
            "domain, stored-on-fetch",
        ),
        (same_site, SERVICE, &[PRODUCTION, allow(same_site), ("cookie.name", "__Host-s")], Yes, ""),
        (
            same_site,
            SERVICE,
            &[PRODUCTION, allow(same_site), ("cookie.name", "__Host-s"), ("cookie.domain", "example.com")],
            No,
            "prefix, stored-on-fetch",
        ),
    ];
    for (page, service, settings, expected, failing) in rows {
        assert_eq!(login(page, service, settings), (expected, failing.to_owned()), "{page} {service} {settings:?}");
    }
}

#[test]
fn links_and_forms_are_told_apart_from_fetches() {
    use Verdict::{No, Yes};
    let cross_site = "https://app.example.org";
    for (settings, by_link, by_form) in [
        (&[("cookie.same_site", "Lax")][..], Yes, No),
        (&[("cookie.same_site", "Strict")], No, No),
        (&[("cookie.same_site", "None")], Yes, Yes),
        (&[("cookie.same_site", "None"), ("cookie.partitioned", "true")], No, No),
    ] {
        let judgement = judged(cross_site, SERVICE, &[&[PRODUCTION], settings].concat());
        assert_eq!(verdict(&judgement, "sent-on-navigation"), by_link, "{settings:?}");
        assert_eq!(verdict(&judgement, "sent-on-form-post"), by_form, "{settings:?}");
    }
    let same_site = judged("https://app.example.com", SERVICE, &[PRODUCTION, ("cookie.same_site", "Strict")]);
    for id in ["sent-on-navigation", "sent-on-form-post"] {
        assert_eq!(verdict(&same_site, id), Yes);
    }
}

#[test]
fn the_last_line_says_whether_a_login_works() {
    let text = judged("https://app.example.com", SERVICE, &[PRODUCTION]).text();
    let last = "Login from https://app.example.com doesn't work: preflight, cross-origin-rule.";
    assert_eq!(text.lines().last(), Some(last));
    assert!(text.starts_with(
        "To the service at https://auth.example.com, https://app.example.com is another origin of the same site"
    ));
    assert!(text.contains("-> cors.allowed_origins = https://app.example.com\n"));
    let judgement = judge(&config(&[]), &SERVICE.parse().unwrap(), None, false);
    assert_eq!(judgement.login(), Verdict::No);
    assert!(judgement.text().lines().last().is_some_and(|last| last.contains("doesn't start")));
}
