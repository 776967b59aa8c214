//! Databases for tests, and the database of the demo.

use anyhow::{Context, Result, bail};
use runlog::testing::postgres::{Binaries, Databases, Source, locate};
use sqlx::{Connection, Executor, PgConnection};

use super::postgres::{Folder, ask, run};

#[tokio::test]
async fn tests_share_a_server_but_no_database() -> Result<()> {
    let databases = Databases::shared().await?;
    let (left, right) = (databases.fresh(None).await?, databases.fresh(None).await?);
    assert_ne!(left.name, right.name);
    run(&left.url, "create table mine (id int)").await?;
    assert_eq!(ask(&left.url, "select to_regclass('mine')::text").await?, "mine");
    assert!(ask(&right.url, "select to_regclass('mine')::text").await.is_err(), "it is null");
    left.drop_now().await?;
    right.drop_now().await?;
    Ok(())
}

#[tokio::test]
async fn a_template_is_prepared_once_and_copied_for_every_test() -> Result<()> {
    let databases = Databases::shared().await?;
    let prepare = async |url: String| {
        // Left open on purpose: a pool that nobody closes must not spoil the template.
        let mut connection = PgConnection::connect(&url).await?;
        connection.execute("create table prepared as select current_database()::text as by").await?;
        std::mem::forget(connection);
        anyhow::Ok(())
    };
    let (first, second) = tokio::try_join!(
        databases.fresh_with("prepared", prepare),
        databases.fresh_with("prepared", prepare)
    )?;
    assert_ne!(first.name, second.name);
    let by = ask(&first.url, "select by from prepared").await?;
    assert_eq!(ask(&second.url, "select by from prepared").await?, by, "both are copies of one template");
    first.drop_now().await?;
    second.drop_now().await?;
    Ok(())
}

#[tokio::test]
async fn a_template_that_fails_is_tried_again() -> Result<()> {
    let databases = Databases::shared().await?;
    let failed = databases.fresh_with("broken", async |_| bail!("no such migration")).await;
    let error = failed.err().context("it failed")?;
    assert_eq!(error.to_string(), "cannot fill the template database broken");
    databases.fresh_with("broken", async |_| anyhow::Ok(())).await?.drop_now().await?;
    Ok(())
}

#[tokio::test]
async fn a_given_url_is_preferred_to_a_private_server() -> Result<()> {
    let source = locate(Some("postgres://somewhere/else")).await?;
    assert!(matches!(&source, Source::Url(url) if url == "postgres://somewhere/else"));
    let started = source.start("ignored").await?;
    assert_eq!(started.url(), "postgres://somewhere/else");
    assert!(started.server().is_none());
    Ok(())
}

#[tokio::test]
async fn a_located_server_has_its_database_the_second_time_too() -> Result<()> {
    let folder = Folder::new()?;
    let source = Source::Private { binaries: Binaries::find()?, folder: folder.path("cluster") };
    for _ in 0..2 {
        let started = source.clone().start("demo").await?;
        assert_eq!(ask(started.url(), "select current_database()::text").await?, "demo");
        started.stop().await?;
    }
    Ok(())
}
