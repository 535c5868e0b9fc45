// What an application does with node-postgres. Prints what it sees, for comparison with a direct connection.
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");

async function main() {
  const client = new Client();
  client.on("notice", (notice) => console.log("notice", notice.message, notice.severity));
  await client.connect();
  await client.query("create table app (id serial primary key, name text, doc jsonb, raw bytea, at timestamptz)");
  for (let n = 0; n < 20; n++) {
    await client.query({
      name: "insert app",
      text: "insert into app (name, doc, raw, at) values ($1, $2, $3, $4)",
      values: [`näme ${n}`, { n }, Buffer.from([n, 0, 255]), new Date(Date.UTC(2024, 1, 29, n))],
    });
  }
  const answer = await client.query("select * from app where id > $1 order by id", [17]);
  console.log(JSON.stringify(answer.rows), answer.command, answer.rowCount, answer.fields.map((f) => f.dataTypeID));
  console.log(JSON.stringify((await client.query("select 1 as one; select 2 as two")).map((a) => a.rows)));
  try {
    await client.query("select * from nowhere where id = $1", [1]);
  } catch (error) {
    console.log(error.code, error.message, error.position, error.severity);
  }
  await client.query("begin");
  await client.query("delete from app");
  await client.query("rollback");
  console.log((await client.query("select count(*) from app")).rows);
  const cursor = client.query(new Cursor("select generate_series(1, 25) n"));
  console.log(JSON.stringify(await cursor.read(10)), (await cursor.read(100)).length);
  await cursor.close();
  await client.query("do $$ begin raise notice 'noticed'; end $$");
  const heard = new Promise((resolve) => client.once("notification", resolve));
  await client.query("listen tide");
  await client.query("notify tide, 'in'");
  const { channel, payload } = await heard;
  console.log(channel, payload);
  try {
    await client.query("set statement_timeout = 200; select pg_sleep(600)");
  } catch (error) {
    console.log(error.code, error.message);
  }
  await client.query("drop table app");
  await client.end();

  const pool = new Pool({ max: 6 });
  const sums = await Promise.all([...Array(40).keys()].map((n) => pool.query("select $1::int + 1 as sum", [n])));
  console.log(sums.map((sum) => sum.rows[0].sum).join());
  await pool.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
