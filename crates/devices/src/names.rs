//! What devices are called: by people, where patterns have a name of their own, and by themselves, where patterns know
//! nothing.

/// How much of a name that an app gives itself is kept, in characters.
pub(crate) const MAX_NAME: usize = 64;

/// The names that browsers, and what frames web pages in apps, begin with.
const BROWSERS: [&str; 3] = ["Mozilla/", "Opera/", "Dalvik/"];

/// Parts of a browser rather than names of it.
const ENGINES: [&str; 10] =
    ["AppleWebKit", "Build", "Chrome", "Dalvik", "Electron", "Gecko", "Mobile", "Mozilla", "Safari", "Version"];

/// The systems that are Linux to who doesn't administer them. A browser names its distribution in one version and not
/// in the next.
const DISTRIBUTIONS: [&str; 18] = [
    "Arch Linux",
    "BackTrack",
    "CentOS",
    "Debian",
    "Fedora",
    "Gentoo",
    "Kubuntu",
    "Linux Mint",
    "Lubuntu",
    "Mageia",
    "Mandriva",
    "PCLinuxOS",
    "Puppy",
    "Red Hat",
    "SUSE",
    "Slackware",
    "Ubuntu",
    "openSUSE",
];

/// Whether a browser speaks, or something that speaks like one; else it is an app or a tool that gives its own name
/// first.
pub(crate) fn says_browser(text: &str) -> bool {
    BROWSERS.iter().any(|name| text.starts_with(name))
}

/// Whether the patterns' family is what an app shows web pages in, and not the app.
pub(crate) fn is_frame(family: &str) -> bool {
    ["Android", "Chrome Mobile WebView", "Electron", "Mobile Safari UI/WKWebView"].contains(&family)
}

/// What people call the patterns' family of browsers.
pub(crate) fn browser(family: &str) -> String {
    let known = match family {
        "Chrome Mobile WebView" | "Mobile Safari UI/WKWebView" => "In-app browser",
        "HeadlessChrome" => "Headless Chrome",
        "IE" | "IE Large Screen" | "IE Mobile" => "Internet Explorer",
        "MiuiBrowser" => "Mi Browser",
        "Mobile Safari" => "Safari",
        "Opera Touch" => "Opera",
        family => {
            [" iOS", " Android", " Mobile"].iter().fold(family, |name, end| name.strip_suffix(end).unwrap_or(name))
        }
    };
    known.to_owned()
}

/// What people call the patterns' system.
pub(crate) fn system(name: &str) -> Option<String> {
    let known = match name {
        "Other" => return None,
        "ATV OS X" => "tvOS",
        "Chrome OS" => "ChromeOS",
        "Mac OS" | "Mac OS X" => "macOS",
        "Web0S" => "webOS",
        "WatchOS" => "watchOS",
        name if DISTRIBUTIONS.contains(&name) => "Linux",
        name => name,
    };
    Some(known.to_owned())
}

/// The system of an app that speaks through Apple's CFNetwork, which gives the kernel's version instead. The patterns
/// list these versions, and know none that is newer than they are. Macs told their processor while it was Intel's;
/// those that don't are taken for phones, of which there are more.
pub(crate) fn system_of_app(text: &str) -> Option<String> {
    if says_browser(text) || !text.contains("CFNetwork/") || !text.contains("Darwin/") {
        return None;
    }
    let mac = ["x86_64", "i386", "Macintosh"].iter().any(|processor| text.contains(processor));
    Some(if mac { "macOS" } else { "iOS" }.to_owned())
}

/// The name that a text begins with, up to a version: `Markt` of `Markt/1.4.2 (build 12)`. The whole text, if it begins
/// otherwise; none, if there is none.
pub(crate) fn app(text: &str) -> Option<String> {
    // CFNetwork escapes the spaces of an app's name.
    let text = text.replace("%20", " ");
    let beginning = text.split(['/', '(', ';']).next().unwrap_or_default();
    let words: Vec<&str> = beginning.split_whitespace().take_while(|word| !is_version(word)).collect();
    let name = if words.is_empty() { text.trim().to_owned() } else { words.join(" ") };
    let name: String = name.chars().filter(|character| !character.is_control()).take(MAX_NAME).collect();
    (!name.is_empty()).then_some(name)
}

/// The app that an unknown browser, or a frame, belongs to: the first product in the text that isn't a part of one.
pub(crate) fn framed_app(text: &str) -> Option<String> {
    let words = text.split(|character: char| character.is_whitespace() || "()[];,".contains(character));
    let mut names = words.filter_map(|word| Some(word.split_once('/')?.0));
    let is_name = |name: &str| name.starts_with(char::is_alphabetic) && !name.contains(':') && !ENGINES.contains(&name);
    names.find(|name| is_name(name)).and_then(app)
}

fn is_version(word: &str) -> bool {
    word.strip_prefix('v').unwrap_or(word).starts_with(|character: char| character.is_ascii_digit())
}
