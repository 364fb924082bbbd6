use super::*;

fn load(environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Config::load(&Sources { environment, ..Sources::default() })
}

fn errors(environment: &[(&str, &str)]) -> String {
    load(environment).map(drop).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = load(&[]).unwrap();
    assert_eq!(config.bind.to_string(), "127.0.0.1:8000");
    assert_eq!(config.admin_bind.to_string(), "127.0.0.1:9000");
    let Session { idle_timeout, idle_timeout_not_remembered, absolute_timeout, .. } = config.session;
    assert_eq!((idle_timeout, idle_timeout_not_remembered, absolute_timeout), (7 * DAY, DAY, 30 * DAY));
    let Session { touch_interval, rotation_grace, fresh_for, max_per_user, user_cache_ttl, .. } = config.session;
    assert_eq!((touch_interval, rotation_grace, fresh_for), (MINUTE, 10 * SECOND, 15 * MINUTE));
    assert_eq!((max_per_user, user_cache_ttl), (100, MINUTE));
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(usize::try_from(config.password.max_concurrent).unwrap(), (cores - 1).max(1));
    assert_eq!(config.session.bearer, BearerPolicy::Auto);
    let Session { binding_user_agent, binding_ip, binding_on_mismatch, .. } = config.session;
    let binding = (binding_user_agent, binding_ip, binding_on_mismatch);
    assert_eq!(binding, (UserAgentBinding::Family, IpBinding::Off, MismatchReaction::Revoke));
    let Limits { login_per_account, login_per_ip, codes_per_account } = config.limits;
    let per_quarter = |count| Rate::of(count, 15 * MINUTE);
    assert_eq!((login_per_account, login_per_ip), (per_quarter(10), per_quarter(100)));
    assert_eq!(codes_per_account, per_quarter(5));
    assert_eq!(config.cors_allowed_origins.len(), 6);
    assert!(!config.cookie.secure);
    let shown = |key: &str| config.shown.iter().find(|shown| shown.key == key).unwrap().value.clone();
    assert_eq!(shown("http.body_limit"), "64KiB");
    assert_eq!(shown("limits.login_per_ip"), "100/15m");
    for (key, value) in [
        ("idle_timeout", "7d"),
        ("idle_timeout_not_remembered", "24h"),
        ("absolute_timeout", "30d"),
        ("touch_interval", "60s"),
        ("rotation_grace", "10s"),
        ("fresh_for", "15m"),
        ("user_cache_ttl", "60s"),
        ("near_cache.max_staleness", "1s"),
    ] {
        assert_eq!(shown(&format!("session.{key}")), value, "{key}");
    }
}

#[test]
fn the_command_line_outdoes_the_environment_and_that_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let toml = "bind = '127.0.0.1:1'\nadmin_bind = '127.0.0.1:1'\n[session]\nidle_timeout = '1d'\nmax_per_user = 3\n\
                [http]\ntrusted_proxies = ['10.0.0.0/8', '::1']\n";
    std::fs::write(file.path(), toml).unwrap();
    let config = Config::load(&Sources {
        file: Some(file.path().into()),
        environment: vec![
            ("MARKT_BIND".into(), "127.0.0.1:2".into()),
            ("MARKT_ADMIN_BIND".into(), "127.0.0.1:2".into()),
            ("PATH".into(), "/bin".into()),
        ],
        flags: vec![("bind".into(), "127.0.0.1:3".into())],
    })
    .unwrap();
    assert_eq!((config.bind.port(), config.admin_bind.port()), (3, 2));
    assert_eq!((config.session.idle_timeout, config.session.max_per_user), (DAY, 3));
    assert_eq!(config.http.trusted_proxies.len(), 2);
}

#[test]
fn every_error_names_key_value_and_what_is_allowed() {
    let message = errors(&[
        ("MARKT_SESSION__IDLE_TIMEOUT", "a week"),
        ("MARKT_COOKIE__SAME_SITE", "Loose"),
        ("MARKT_SESSION__IDEL_TIMEOUT", "7d"),
        ("MARKT_CORS__ALLOWED_ORIGINS", "https://app.example.com/"),
        ("MARKT_LIMITS__LOGIN_PER_IP", "many"),
    ]);
    assert!(message.contains("session.idle_timeout = \"a week\" (MARKT_SESSION__IDLE_TIMEOUT): must be a duration"));
    assert!(message.contains("cookie.same_site = \"Loose\""), "{message}");
    assert!(message.contains("session.idel_timeout (MARKT_SESSION__IDEL_TIMEOUT, 2 characters): unknown key"));
    assert!(message.contains("no slash at the end"), "{message}");
    assert!(message.contains("10/15m"), "{message}");
}

#[test]
fn production_says_all_that_is_insecure_at_once() {
    let message = errors(&[
        ("MARKT_ENV", "production"),
        ("MARKT_COOKIE__SECURE", "false"),
        ("MARKT_MAIL__TRANSPORT", "file"),
        ("MARKT_JWT__SECRET", "dev-secret-key"),
        ("MARKT_CORS__ALLOWED_ORIGINS", "*"),
    ]);
    for key in ["cookie.secure", "database_url", "mail.transport", "jwt.secret", "cors.allowed_origins"] {
        assert!(message.contains(key), "{key} is missing from {message}");
    }
    assert!(!message.contains("dev-secret-key"), "{message}");
}

#[test]
fn old_sessions_are_taken_over_where_they_can_be() {
    let with = |redis: &'static str| {
        [("MARKT_ADOPT__FLASK_SESSION", "true"), ("MARKT_ADOPT__FLASK_SECRET_KEY", "old"), ("MARKT_REDIS_URL", redis)]
    };
    assert!(load(&with("redis-sentinel://s.test:26379?sentinelServiceName=m")).is_ok());
    for url in ["redis-cluster://a.test:6379", "rediss-cluster://a.test:6379"] {
        assert!(errors(&with(url)).contains("adopt.flask_session"), "{url}");
    }
    assert!(errors(&[("MARKT_ADOPT__FLASK_SESSION", "true")]).contains("adopt.flask_secret_key"));
}

#[test]
fn a_wildcard_origin_is_refused_everywhere() {
    for origin in ["*", "https://*.example.com", "null", "app.example.com"] {
        let message = errors(&[("MARKT_CORS__ALLOWED_ORIGINS", origin)]);
        assert!(message.contains("cors.allowed_origins"), "{message}");
    }
}

#[test]
fn cookie_prefixes_are_held_against_the_other_keys() {
    assert!(errors(&[("MARKT_COOKIE__NAME", "__Host-markt")]).contains("__Host-"));
    assert!(errors(&[("MARKT_COOKIE__NAME", "__Secure-markt")]).contains("__Secure-"));
    assert!(errors(&[("MARKT_COOKIE__SAME_SITE", "None")]).contains("cookie.secure"));
    assert!(load(&[("MARKT_COOKIE__NAME", "__Host-markt"), ("MARKT_COOKIE__SECURE", "true")]).is_ok());
}

#[test]
fn secrets_can_stand_in_files_and_are_never_shown() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "postgres://markt:hunter2@db/markt\n").unwrap();
    let config = load(&[("MARKT_DATABASE_URL_FILE", file.path().to_str().unwrap()), ("MARKT_JWT__SECRET", "geheim")]);
    let config = config.unwrap();
    assert_eq!(config.database_url.expose(), "postgres://markt:hunter2@db/markt");
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("geheim"), "{shown}");
    assert!(shown.contains("postgres://markt:***@db/markt"), "{shown}");
}

#[test]
fn a_secret_stands_in_the_key_or_in_a_file_of_its_own_but_not_in_both() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "postgres://markt:hunter2@db/markt\n").unwrap();
    let path = file.path().to_str().unwrap();
    let message = errors(&[("MARKT_DATABASE_URL", "sqlite://geheim.db"), ("MARKT_DATABASE_URL_FILE", path)]);
    assert!(message.contains("database_url (MARKT_DATABASE_URL)"), "{message}");
    assert!(message.contains("database_url_file (MARKT_DATABASE_URL_FILE)"), "{message}");
    assert!(!message.contains("hunter2") && !message.contains("geheim"), "{message}");
    assert!(errors(&[("MARKT_REDIS_URL_FILE", path), ("MARKT_REDIS_URL", "")]).contains("MARKT_REDIS_URL_FILE"));

    let toml = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(toml.path(), format!("[jwt]\nsecret_file = '{path}'\nsecret = 'geheim'\n")).unwrap();
    let both = [("jwt.secret", "geheim"), ("jwt.secret_file", path)].map(|(key, value)| (key.into(), value.into()));
    let in_file = Sources { file: Some(toml.path().into()), ..Sources::default() };
    for sources in [in_file, Sources { flags: both.into(), ..Sources::default() }] {
        let message = Config::load(&sources).map(drop).unwrap_err().to_string();
        assert!(message.contains("jwt.secret (") && message.contains("jwt.secret_file ("), "{message}");
        assert!(!message.contains("geheim"), "{message}");
    }
}

#[test]
fn a_later_source_may_name_a_file_in_place_of_the_key_and_the_other_way_round() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "postgres://db/from_file\n").unwrap();
    let key = ("database_url".to_owned(), "postgres://db/from_key".to_owned());
    let as_file = ("database_url_file".to_owned(), file.path().to_str().unwrap().to_owned());
    for (environment, flag, expected) in [(&key, &as_file, "from_file"), (&as_file, &key, "from_key")] {
        let variable = format!("MARKT_{}", environment.0.to_uppercase());
        let environment = vec![(variable, environment.1.clone())];
        let config = Config::load(&Sources { environment, flags: vec![flag.clone()], ..Sources::default() }).unwrap();
        assert_eq!(config.database_url.expose(), format!("postgres://db/{expected}"));
    }
}

#[test]
fn a_timeout_can_be_shortened_without_the_others() {
    for key in ["IDLE_TIMEOUT", "IDLE_TIMEOUT_NOT_REMEMBERED", "ABSOLUTE_TIMEOUT"] {
        load(&[(&format!("MARKT_SESSION__{key}"), "2s")]).unwrap();
    }
}

#[test]
fn durations_are_read_and_shown_alike() {
    use values::Value as _;
    for text in ["500ms", "60s", "15m", "24h", "7d"] {
        assert!(<Duration as values::Value>::parse(text).is_some(), "{text}");
    }
    for text in ["", "7", "d", "0s", "-1s", "1w", "1.5h", "99999999999d", "7 d"] {
        assert_eq!(<Duration as values::Value>::parse(text), None, "{text}");
    }
    for text in ["1ms", "1500ms", "1s", "60s", "90s", "2m", "15m", "24h", "36h", "2d", "7d"] {
        assert_eq!(<Duration as values::Value>::parse(text).unwrap().shown(), text);
    }
    assert_eq!((DAY.shown(), HOUR.shown(), Duration::ZERO.shown()), ("24h".into(), "60m".into(), "0s".into()));
}

#[test]
fn what_may_last_no_time_at_all_can_be_told_to() {
    for key in ["ROTATION_GRACE", "FRESH_FOR", "TOUCH_INTERVAL", "USER_CACHE_TTL"] {
        let config = load(&[(&format!("MARKT_SESSION__{key}"), "0s")]).unwrap();
        let key = format!("session.{}", key.to_lowercase());
        assert_eq!(config.shown.iter().find(|shown| shown.key == key).unwrap().value, "0s");
    }
    for key in ["IDLE_TIMEOUT", "IDLE_TIMEOUT_NOT_REMEMBERED", "ABSOLUTE_TIMEOUT", "NEAR_CACHE__MAX_STALENESS"] {
        assert!(errors(&[(&format!("MARKT_SESSION__{key}"), "0s")]).contains("above zero"), "{key}");
    }
    for key in ["HTTP__REQUEST_TIMEOUT", "JWT__ACCESS_TTL", "JWT__REFRESH_TTL", "AUDIT__RETENTION"] {
        assert!(errors(&[(&format!("MARKT_{key}"), "0s")]).contains("above zero"), "{key}");
    }
}

#[test]
fn a_pause_may_be_none_at_all() {
    let drain = |environment: &[(&str, &str)]| {
        let config = load(environment).unwrap();
        let shown = config.shown.iter().find(|shown| shown.key == "http.drain").unwrap().value.clone();
        (config.http.drain, shown)
    };
    assert_eq!(drain(&[]), (Duration::ZERO, "0s".to_owned()));
    assert_eq!(drain(&[("MARKT_HTTP__DRAIN", "1500ms")]), (Duration::from_millis(1500), "1500ms".to_owned()));
    let production = [
        ("MARKT_ENV", "production"),
        ("MARKT_ALLOW_EMBEDDED", "true"),
        ("MARKT_MAIL__SMTP_URL", "smtps://mail.example.com"),
    ];
    assert_eq!(drain(&production), (5 * SECOND, "5s".to_owned()));
    for text in ["0", "-1s", "0d0s", "none"] {
        assert!(errors(&[("MARKT_HTTP__DRAIN", text)]).contains("http.drain"), "{text}");
    }
}
