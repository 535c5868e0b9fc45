//! Messages and views as text, as a reader would see them.

use serde_json::Value;

use super::workspace::Message;

/// A message: its blocks, line by line.
pub fn rendered(message: &Message) -> String {
    if message.blocks.is_null() { message.text.clone() } else { blocks(&message.blocks) }
}

/// A view: its title, its blocks, its buttons.
pub(super) fn view(view: &Value) -> String {
    let title = view["title"]["text"].as_str().map(|title| format!("# {title}\n")).unwrap_or_default();
    let submit = view["submit"]["text"].as_str().map(|submit| format!("\n[{submit}]")).unwrap_or_default();
    format!("{title}{}{submit}", blocks(&view["blocks"]))
}

fn blocks(blocks: &Value) -> String {
    let lines = blocks.as_array().into_iter().flatten().map(block);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn text(value: &Value) -> String {
    let words = value["text"].as_str().unwrap_or_default();
    if value["type"] == "plain_text" { words.to_owned() } else { unescaped(words) }
}

/// What a reader sees of Slack's entities. A mention keeps its brackets.
fn unescaped(words: &str) -> String {
    words.replace("&lt;", "‹").replace("&gt;", "›").replace("&amp;", "&")
}

fn block(block: &Value) -> String {
    match block["type"].as_str().unwrap_or_default() {
        "header" => format!("## {}", text(&block["text"])),
        "divider" => "---".to_owned(),
        "section" => {
            let mut lines = Vec::new();
            if block.get("text").is_some() {
                lines.push(text(&block["text"]));
            }
            lines.extend(
                block["fields"].as_array().into_iter().flatten().map(|field| text(field).replace('\n', " ")),
            );
            if block.get("accessory").is_some() {
                lines.push(element(&block["accessory"]));
            }
            lines.join("\n")
        }
        "context" => {
            let texts: Vec<String> = block["elements"].as_array().into_iter().flatten().map(text).collect();
            format!("({})", texts.join(" · "))
        }
        "actions" => {
            let all: Vec<String> = block["elements"].as_array().into_iter().flatten().map(element).collect();
            all.join(" ")
        }
        "input" => format!("{}: {}", text(&block["label"]), element(&block["element"])),
        _ => String::new(),
    }
}

fn element(element: &Value) -> String {
    match element["type"].as_str().unwrap_or_default() {
        "button" => format!("[{}]", text(&element["text"])),
        "plain_text_input" => format!("_{}_", element["initial_value"].as_str().unwrap_or_default()),
        "datetimepicker" => "_time_".to_owned(),
        _ => {
            let one = element.get("initial_option").into_iter();
            let many = element["initial_options"].as_array().into_iter().flatten();
            let chosen: Vec<String> = one.chain(many).map(|option| text(&option["text"])).collect();
            format!("<{}>", chosen.join(", "))
        }
    }
}

/// The button of this name.
pub(super) fn button(blocks: &Value, action_id: &str) -> Option<Value> {
    let blocks = blocks.as_array()?;
    let of_block = |block: &Value| {
        let elements = block["elements"].as_array().cloned().unwrap_or_default();
        elements
            .into_iter()
            .chain(block.get("accessory").cloned())
            .map(move |mut element| {
                element["block_id"] = block["block_id"].clone();
                element
            })
            .collect::<Vec<_>>()
    };
    blocks.iter().flat_map(of_block).find(|element| element["action_id"] == action_id)
}
