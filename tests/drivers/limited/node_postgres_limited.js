// What an application does with node-postgres inside a limited grant. Prints what it sees, for comparison.
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");

async function main() {
  const client = new Client();
  await client.connect();
  const answer = await client.query("select id, prod_name, sku from sales where id > $1 order by id", [3]);
  console.log(JSON.stringify(answer.rows), answer.fields.map((field) => field.name).join());
  const named = { name: "by sku", text: "select id from sales where sku = $1" };
  for (const sku of ["SKU-1", "SKU-2", "SKU-1"]) console.log((await client.query({ ...named, values: [sku] })).rows);
  console.log(JSON.stringify((await client.query("select 1 as one; select qty from orders order by id")).map((a) => a.rows)));
  for (const text of ["select price from sales", "select * from employees where id = $1"]) {
    try {
      await client.query(text, text.includes("$1") ? [1] : undefined);
    } catch (error) {
      console.log(text, error.code, error.severity);
    }
  }
  await client.query("begin");
  await client.query("insert into orders (sale_id, qty) values ($1, $2) returning id", [1, 5]);
  try {
    await client.query("delete from orders");
  } catch (error) {
    console.log(error.code);
  }
  try {
    await client.query("select 1");
  } catch (error) {
    console.log(error.code);
  }
  await client.query("rollback");
  const cursor = client.query(new Cursor("select o.id, s.sku from orders o join sales s on s.id = o.sale_id order by 1"));
  console.log(JSON.stringify(await cursor.read(2)), (await cursor.read(100)).length);
  await cursor.close();
  await client.end();
  const pool = new Pool({ max: 4 });
  const counts = await Promise.all([...Array(20).keys()].map(() => pool.query("select count(*) from orders")));
  console.log(counts.map((count) => count.rows[0].count).join());
  await pool.end();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
