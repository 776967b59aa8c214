//! The list has the columns that its address says.

use super::sound::assert_sound;
use super::*;

fn heads(page: &Page) -> Vec<String> {
    page.texts("table.runs thead th").into_iter().filter(|head| head != "Selected").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_says_which_columns_the_list_has() {
    let world = World::new().await;
    let app = world.open();
    let usual = ["Status", "Workflow", "Run", "Failed at", "Error", "Created", "Took"];
    assert_eq!(heads(&visit(&app, "/runs").await), usual);
    let address =
        "/runs?q=workflow:checkout&cols=run,meta.tenant,version,trigger,status,finished,node,key,started";
    let page = visit(&app, address).await;
    assert_sound(&page);
    let wanted = ["Run", "tenant", "Version", "Trigger", "Status", "Finished", "Node", "Key", "Started"];
    assert_eq!(heads(&page), wanted);
    let row = page.one(&format!("#r-{}", world.good));
    for piece in ["acme", "api", "✓ succeeded"] {
        assert!(row.contains(piece), "{piece} in {row}");
    }
    // Links to lists keep them, and those to other pages know nothing of them.
    for link in page.links().into_iter().filter(|link| !link.contains("/stream")) {
        assert_eq!(
            link.contains("cols="),
            link.starts_with("/runs?") || link.starts_with("/columns?"),
            "{link}"
        );
        assert_eq!(visit(&app, &link).await.status.as_u16() / 100, 2, "{link}");
    }
    assert_eq!(
        page.form("/runs").field("cols"),
        Some("run,meta.tenant,version,trigger,status,finished,node,key,started")
    );

    for (cols, words) in [
        ("run,stauts", "cols has \"stauts\": expected some of status, workflow, run"),
        ("run,,status", "cols has \"\""),
        ("run,meta.", "cols has \"meta.\""),
        ("run,run", "cols has \"run\" twice"),
        ("status", "cols lacks run"),
    ] {
        let page = visit(&app, &format!("/runs?cols={cols}")).await;
        assert_eq!(page.status, 400, "{page:?}");
        assert_sound(&page);
        page.assert_says(words);
    }
    let many: Vec<String> = (0..16).map(|n| format!("meta.n{n}")).collect();
    visit(&app, &format!("/runs?cols=run,{}", many.join(",")))
        .await
        .assert_says("cols has 17 columns, the limit is 16");
}

/// Clicks a link by what it says, or by its label.
async fn click(app: &Router, page: &Page, words: &str) -> Page {
    let says = |link: &scraper::ElementRef<'_>| {
        link.attr("aria-label") == Some(words) || link.text().collect::<String>() == words
    };
    let found = page.all("main a").into_iter().find(says);
    let href =
        found.unwrap_or_else(|| panic!("no link {words} on {page:?}")).attr("href").expect("an address");
    visit(app, href).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_are_chosen_by_links() {
    let world = World::new().await;
    let app = world.open();
    let list = visit(&app, "/runs?q=workflow:checkout").await;
    let mut page = click(&app, &list, "Columns").await;
    for words in
        ["Take away Error", "Take away Failed at", "meta.tenant", "tenant to the left", "tenant to the left"]
    {
        page = click(&app, &page, words).await;
        assert_sound(&page);
    }
    let list = click(&app, &page, "Show the list").await;
    assert_eq!(
        list.path,
        "/runs?q=workflow%3Acheckout&cols=status%2Cworkflow%2Crun%2Cmeta.tenant%2Ccreated%2Ctook"
    );
    assert_eq!(heads(&list), ["Status", "Workflow", "Run", "tenant", "Created", "Took"]);
    let page = click(&app, &page, "The usual ones").await;
    let list = click(&app, &page, "Show the list").await;
    assert_eq!(list.path, "/runs?q=workflow%3Acheckout");
    // Names of metadata are another tenant's own.
    let page = visit(&world.as_tenant("globex"), "/columns").await;
    assert!(!page.words().contains("meta."), "{page:?}");
}
