//! A browser as far as these tests need one: cookies, redirections, and forms without scripts.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode, Url, header, redirect::Policy};

use crate::rest::install_tls;

/// A cookie.
#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

/// A browser, and the page that it shows.
#[derive(Clone, Debug)]
pub struct Browser {
    http: Client,
    cookies: Vec<Cookie>,
    /// Where it is.
    pub url: Url,
    /// How the page was answered.
    pub status: StatusCode,
    /// The page.
    pub body: String,
    /// Every address that it came by on the way here.
    pub trail: Vec<Url>,
    /// Where it stops instead of going on, as if somebody had caught the address on its way.
    pub stop_at: Option<&'static str>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// One that knows nobody.
    pub fn new() -> Self {
        install_tls();
        let http = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client can be made");
        let url = Url::parse("about:blank").expect("a URL");
        Self {
            http,
            cookies: Vec::new(),
            url,
            status: StatusCode::OK,
            body: String::new(),
            trail: Vec::new(),
            stop_at: None,
        }
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value.clone())
    }

    /// Plants a cookie, as an attacker would who can.
    pub fn plant(&mut self, name: &str, value: &str) {
        self.cookies.retain(|cookie| cookie.name != name);
        self.cookies.push(Cookie { name: name.to_owned(), value: value.to_owned(), path: "/".to_owned() });
    }

    /// Goes somewhere, and on wherever it is sent.
    pub async fn get(&mut self, url: &str) {
        let url = self.url.join(url).or_else(|_| Url::parse(url)).expect("a URL");
        self.trail.clear();
        self.go(Method::GET, url, None).await;
    }

    /// Sends the page's first form, with these fields in place of or beside its own.
    pub async fn submit(&mut self, fields: &[(&str, &str)]) {
        let (action, mut form) = self.form();
        for (name, value) in fields {
            form.retain(|(known, _)| known != name);
            form.push(((*name).to_owned(), (*value).to_owned()));
        }
        let url = self.url.join(&action).expect("a form goes somewhere");
        self.trail.clear();
        self.go(Method::POST, url, Some(form)).await;
    }

    /// Signs in at the provider's development pages, and agrees to whatever is asked.
    pub async fn sign_in(&mut self, who: &str) {
        for _ in 0..3 {
            if !self.url.path().starts_with("/interaction/") {
                return;
            }
            if self.body.contains("name=\"login\"") {
                self.submit(&[("login", who), ("password", "any")]).await;
            } else {
                self.submit(&[]).await;
            }
        }
        panic!("the sign-in does not end: {} {}", self.url, self.body);
    }

    async fn go(&mut self, mut method: Method, mut url: Url, mut form: Option<Vec<(String, String)>>) {
        for _ in 0..12 {
            self.trail.push(url.clone());
            if self.stop_at == Some(url.path()) {
                self.url = url;
                return;
            }
            let mut request = self.http.request(method.clone(), url.clone());
            request = request.header(header::COOKIE, self.sent(url.path()));
            if let Some(form) = &form {
                request = request.form(form);
            }
            let answer = request.send().await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
            for cookie in answer.headers().get_all(header::SET_COOKIE) {
                self.keep(cookie.to_str().expect("a cookie is text"));
            }
            let to =
                answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
            self.status = answer.status();
            self.url = url.clone();
            self.body = answer.text().await.expect("a page ends");
            match to.filter(|_| self.status.is_redirection()) {
                Some(to) => url = url.join(&to).expect("a redirection goes somewhere"),
                None => return,
            }
            (method, form) = (Method::GET, None);
        }
        panic!("too many redirections: {:?}", self.trail);
    }

    fn sent(&self, path: &str) -> String {
        let fits = self.cookies.iter().filter(|cookie| path.starts_with(&cookie.path));
        fits.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie has a name");
        let attribute = |wanted: &str| {
            let mut all = line.split(';').map(str::trim).skip(1).filter_map(|part| part.split_once('='));
            all.find(|(key, _)| key.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned())
        };
        let path = attribute("path").unwrap_or_else(|| "/".to_owned());
        self.cookies.retain(|cookie| !(cookie.name == name && cookie.path == path));
        let gone = value.is_empty()
            || attribute("max-age").is_some_and(|age| age == "0")
            || attribute("expires").is_some_and(|until| until.contains("1970"));
        if !gone {
            self.cookies.push(Cookie { name: name.to_owned(), value: value.to_owned(), path });
        }
    }

    /// The first form's action and fields.
    fn form(&self) -> (String, Vec<(String, String)>) {
        let (_, form) = self.body.split_once("<form").unwrap_or_else(|| panic!("no form in {}", self.body));
        let form = form.split("</form>").next().unwrap_or(form);
        let opening = form.split('>').next().unwrap_or_default();
        let action = attribute(opening, "action").unwrap_or_else(|| self.url.to_string());
        let inputs = form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
        // Nobody has ticked a box yet.
        let inputs = inputs.filter(|input| !input.contains("type=\"checkbox\""));
        let fields = inputs.filter_map(|input| {
            Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
        });
        (action, fields.collect())
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, behind) = tag.split_once(&format!("{name}=\""))?;
    let value = behind.split('"').next()?;
    Some(value.replace("&amp;", "&").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">"))
}
