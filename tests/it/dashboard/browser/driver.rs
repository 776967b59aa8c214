//! A Chromium, driven through its WebDriver: one driver for all tests, a window of its own for each.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::until;

/// The names of the browser: those of `scripts/browser`.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What ends with this process: when the pipe to it closes, the driver and every browser of it are ended.
const DRIVER: &str = r#"
folder=$(mktemp -d)
TMPDIR=$folder "$1" --port=0 &
read -r _
trap "" TERM
kill -TERM -$$
wait
sleep 0.5
rm -rf "$folder"
kill -KILL -$$
"#;

struct Driver {
    port: u16,
    browser: PathBuf,
    _held: ChildStdin,
}

fn program(names: &[&str]) -> PathBuf {
    let folders: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let all = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = all.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{} is not installed: run scripts/browser", names[0]))
}

#[expect(clippy::zombie_processes, reason = "it ends when this process does, which nobody waits for")]
fn driver() -> &'static Driver {
    static STARTED: OnceLock<Driver> = OnceLock::new();
    STARTED.get_or_init(|| {
        let (browser, driver) = (program(&BROWSERS), program(&["chromedriver"]));
        let mut command = Command::new("sh");
        command.args(["-c", DRIVER, "sh"]).arg(driver).process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a driver");
        let held = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        std::thread::spawn(move || lines.for_each(drop));
        Driver { port: port.expect("the driver's port"), browser, _held: held }
    })
}

/// Reads an answer: its head, and as much of a body as that says.
async fn answer(mut stream: TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head.lines().filter_map(|line| line.split_once(':'));
            let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length = lengths.find_map(|(_, length)| length.trim().parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return (head.to_owned(), body.to_owned());
            }
        }
        assert!(stream.read_buf(&mut bytes).await.expect("an answer") > 0, "the driver hangs up");
    }
}

/// One window.
pub struct Browser {
    client: Client,
    session: String,
}

impl Browser {
    pub async fn open() -> Browser {
        Browser::with(json!({})).await
    }

    /// A window that runs no script of any page.
    pub async fn without_scripts() -> Browser {
        Browser::with(json!({ "profile.managed_default_content_settings.javascript": 2 })).await
    }

    async fn with(preferences: Value) -> Browser {
        let driver = driver();
        let options = json!({
            "binary": driver.browser,
            "prefs": preferences,
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--hide-scrollbars", "--window-size=1280,900",
            ],
        });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let Value::Object(wanted) = wanted else { unreachable!("an object") };
        let address = format!("http://127.0.0.1:{}", driver.port);
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(&address).await;
        let client = client.expect("a window");
        let session = client.session_id().await.expect("a session").expect("an id");
        let browser = Browser { client, session };
        let window = json!({ "width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        browser.devtools("Emulation.setDeviceMetricsOverride", window).await;
        // Keys go to the page, whichever window of the tests has the focus.
        browser.devtools("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
        browser
    }

    /// Waits until the page listens for keys: its address is there before its script is.
    async fn listens(&self) {
        const LISTENS: &str = "return document.readyState === 'complete' && document.hasFocus() \
                               && document.getElementById('theme')?.hidden === false";
        let listens = async || self.client.execute(LISTENS, Vec::new()).await.is_ok_and(|said| said == true);
        until("the page listens", listens).await;
    }

    /// Sends the driver a command that has no method of its own.
    async fn command(&self, path: &str, body: Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", driver().port)).await.expect("the driver");
        let head = format!(
            "POST /session/{}/{path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            self.session,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("a request");
        let (head, body) = answer(stream).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{path}: {head} {body}");
        serde_json::from_str::<Value>(&body).expect("JSON")["value"].take()
    }

    async fn devtools(&self, name: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": name, "params": parameters })).await
    }

    /// Makes the window as wide and high as said.
    pub async fn size(&self, width: u32, height: u32) {
        let window = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", window).await;
    }

    /// Prefers a theme, as the user's system would.
    pub async fn prefer(&self, theme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": theme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// What stands in the console since it was last asked for: errors of scripts, violations of the policy.
    pub async fn console(&self) -> Vec<String> {
        let lines = self.command("se/log", json!({ "type": "browser" })).await;
        let lines = lines.as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| format!("{} {}", line["level"], line["message"])).collect()
    }

    pub async fn goto(&self, address: &str) {
        self.client.goto(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
    }

    pub async fn back(&self) {
        self.client.back().await.expect("the page before");
    }

    pub async fn reload(&self) {
        self.client.refresh().await.expect("the page again");
    }

    /// Where the window is.
    pub async fn address(&self) -> String {
        self.client.current_url().await.expect("an address").to_string()
    }

    pub async fn find(&self, selector: &str) -> Element {
        let found = self.client.find(Locator::Css(selector)).await;
        match found {
            Ok(element) => element,
            Err(error) => {
                panic!("{selector} on {}: {error}\n{}", self.address().await, self.text("body").await)
            }
        }
    }

    pub async fn has(&self, selector: &str) -> bool {
        !self.client.find_all(Locator::Css(selector)).await.expect("a list").is_empty()
    }

    pub async fn count(&self, selector: &str) -> usize {
        self.client.find_all(Locator::Css(selector)).await.expect("a list").len()
    }

    /// The text of an element as it is seen; nothing while it is not there.
    pub async fn text(&self, selector: &str) -> String {
        let Ok(element) = self.client.find(Locator::Css(selector)).await else { return String::new() };
        element.text().await.unwrap_or_default()
    }

    pub async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Clicks a link or a button by what it says.
    pub async fn press(&self, words: &str) {
        let path = format!("//main//*[self::a or self::button][contains(normalize-space(.), \"{words}\")]");
        let found = self.client.find(Locator::XPath(&path)).await;
        let Ok(found) = found else {
            panic!("{words} is not on {}\n{}", self.address().await, self.text("main").await)
        };
        found.click().await.unwrap_or_else(|error| panic!("{words}: {error}"));
    }

    /// Writes into a field in place of what stands there.
    pub async fn write(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// Presses keys one after the other, wherever the focus is.
    pub async fn keys(&self, keys: &str) {
        self.listens().await;
        let mut actions = KeyActions::new("keys".to_owned());
        for key in keys.chars() {
            actions = actions.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        }
        self.client.perform_actions(actions).await.expect("keys");
    }

    /// Presses a key while Control is down.
    pub async fn control(&self, key: char) {
        self.listens().await;
        let control = char::from(fantoccini::key::Key::Control);
        let actions = KeyActions::new("keys".to_owned()).then(KeyAction::Down { value: control });
        let actions = actions.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        self.client.perform_actions(actions.then(KeyAction::Up { value: control })).await.expect("keys");
    }

    /// Drags from one share of an element's width to another.
    pub async fn drag(&self, selector: &str, from: f64, to: f64) {
        self.listens().await;
        let at = format!(
            "const at = document.querySelector('{selector}'); at.scrollIntoView({{ block: 'center' }}); const box = at.getBoundingClientRect(); return [box.left, box.top, box.width, box.height]"
        );
        let place: Vec<f64> = serde_json::from_value(self.run(&at).await).expect("a place");
        let (y, x) = (place[1] + place[3] / 2.0, |share: f64| place[0] + place[2] * share);
        for (kind, at, buttons) in
            [("mousePressed", from, 1), ("mouseMoved", to, 1), ("mouseReleased", to, 0)]
        {
            let event = json!({ "type": kind, "x": x(at), "y": y, "button": "left", "buttons": buttons, "clickCount": 1 });
            self.devtools("Input.dispatchMouseEvent", event).await;
        }
    }

    /// How far from the top of the page an element ends, in pixels.
    pub async fn bottom(&self, selector: &str) -> f64 {
        let (_, top, _, height) = self.find(selector).await.rectangle().await.expect("a place");
        top + height
    }

    /// Runs a script of the test's own.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    pub async fn run_async(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until an element says something.
    pub async fn until_says(&self, selector: &str, words: &str) {
        until(&format!("{selector} says {words}"), async || self.text(selector).await.contains(words)).await;
    }

    /// Waits until the window is somewhere.
    pub async fn until_at(&self, end: &str) {
        until(&format!("the address ends with {end}"), async || self.address().await.ends_with(end)).await;
    }

    pub async fn screenshot(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a picture")
    }

    /// Closes the window. One that a failed test leaves open is closed with the driver.
    pub async fn close(self) {
        self.client.close().await.expect("the window closes");
    }
}
