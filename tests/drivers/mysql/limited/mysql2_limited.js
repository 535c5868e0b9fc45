// What an application does with mysql2 inside a limited grant. Prints what it sees, for comparison with a native account.
const fs = require("fs");
const mysql = require("mysql2/promise");

const access = {
  host: process.env.DB_HOST,
  port: Number(process.env.DB_PORT),
  user: process.env.DB_USER,
  password: process.env.DB_PASSWORD,
  database: process.env.DB_NAME,
  ssl: { ca: fs.readFileSync(process.env.DB_CA), rejectUnauthorized: true },
};
const show = (value) => console.log(JSON.stringify(value));

async function main() {
  const connection = await mysql.createConnection(access);
  const [rows, fields] = await connection.execute("select id, sku from sales where id >= ? order by id", [3]);
  show(rows);
  show(fields.map((field) => [field.name, field.orgName, field.orgTable, field.columnType]));
  await connection.beginTransaction();
  show((await connection.execute("insert into orders (sale_id, qty) values (?, ?)", [1, 5]))[0].affectedRows);
  show((await connection.execute("update orders set qty = ? where id = ?", [7, 1]))[0].affectedRows);
  await connection.rollback();
  const statement = await connection.prepare("select s.sku, o.qty from orders o join sales s on s.id = o.sale_id where o.id = ?");
  for (const id of [1, 2, 999]) show((await statement.execute([id]))[0]);
  await statement.close();
  for (const refused of ["select price from sales", "select * from employees", "delete from orders", "select 1; select 2"]) {
    for (const way of ["query", "execute"]) {
      try {
        await connection[way](refused);
        show(refused);
      } catch (error) {
        console.log(way, refused, error.code, error.errno, error.sqlState);
      }
    }
  }
  const stream = connection.connection.query("select id from sales order by id").stream();
  let sum = 0;
  for await (const row of stream) sum += row.id;
  show(sum);
  await connection.ping();
  await connection.end();

  const pool = mysql.createPool({ ...access, connectionLimit: 4 });
  const sums = await Promise.all([...Array(20).keys()].map((n) => pool.execute("select count(*) + ? as sum from sales", [n])));
  console.log(sums.map(([rows]) => rows[0].sum).join());
  await pool.end();
}

setTimeout(() => process.exit(1), 100_000).unref(); // nobody waits for an application that hangs
main().then(() => process.exit(0)).catch((error) => {
  console.error(error);
  process.exit(1);
});
