// pgjdbc connects, looks around and works inside a limited grant. Prints what it sees, for comparison.

import java.sql.*;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;

public class PgjdbcLimited {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        for (String mode : new String[] {"simple", "extended", "extendedCacheEverything"}) {
            Properties properties = new Properties();
            properties.setProperty("user", System.getenv("PGUSER"));
            properties.setProperty("password", System.getenv("PGPASSWORD"));
            properties.setProperty("sslmode", "disable");
            properties.setProperty("preferQueryMode", mode);
            properties.setProperty("prepareThreshold", "2");
            try (Connection connection = DriverManager.getConnection(url, properties)) {
                System.out.println("== " + mode);
                look(connection.getMetaData());
                work(connection);
            }
        }
    }

    private static Set<String> column(ResultSet rows, String name) throws SQLException {
        Set<String> seen = new TreeSet<>();
        try (rows) {
            while (rows.next()) seen.add(rows.getString(name));
        }
        return seen;
    }

    private static void look(DatabaseMetaData about) throws SQLException {
        Set<String> tables = column(about.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME");
        System.out.println(tables.contains("sales") + " " + tables.contains("orders"));
        Set<String> sales = column(about.getColumns(null, "public", "sales", "%"), "COLUMN_NAME");
        sales.retainAll(Set.of("id", "prod_name", "sku"));
        System.out.println(sales + " " + column(about.getColumns(null, null, "orders", "%"), "COLUMN_NAME"));
        System.out.println(column(about.getPrimaryKeys(null, "public", "orders"), "COLUMN_NAME"));
        System.out.println(column(about.getImportedKeys(null, "public", "orders"), "PKTABLE_NAME"));
        System.out.println(column(about.getExportedKeys(null, "public", "sales"), "FKTABLE_NAME"));
        System.out.println(column(about.getIndexInfo(null, "public", "orders", false, false), "INDEX_NAME"));
        System.out.println(column(about.getBestRowIdentifier(null, "public", "orders", 1, true), "COLUMN_NAME"));
        System.out.println(column(about.getSchemas(), "TABLE_SCHEM").contains("public"));
        System.out.println(column(about.getTypeInfo(), "TYPE_NAME").contains("int4"));
        column(about.getCatalogs(), "TABLE_CAT");
        column(about.getTableTypes(), "TABLE_TYPE");
        column(about.getProcedures(null, "public", "%"), "PROCEDURE_NAME");
        column(about.getFunctions(null, "public", "%"), "FUNCTION_NAME");
        column(about.getProcedureColumns(null, "public", "%", "%"), "COLUMN_NAME");
        column(about.getTablePrivileges(null, "public", "orders"), "PRIVILEGE");
        column(about.getColumnPrivileges(null, "public", "sales", "sku"), "PRIVILEGE");
        column(about.getUDTs(null, "public", "%", null), "TYPE_NAME");
        column(about.getVersionColumns(null, "public", "orders"), "COLUMN_NAME");
        column(about.getClientInfoProperties(), "NAME");
        System.out.println(about.getSQLKeywords().length() > 10);
        System.out.println(about.getMaxColumnNameLength() + " " + about.getDefaultTransactionIsolation());
    }

    private static void work(Connection connection) throws SQLException {
        connection.setSchema("public");
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        try (PreparedStatement select = connection.prepareStatement("select id, sku from sales where id >= ? order by id")) {
            select.setFetchSize(2);
            for (int round = 0; round < 4; round++) {
                select.setInt(1, round);
                StringBuilder seen = new StringBuilder();
                try (ResultSet rows = select.executeQuery()) {
                    ResultSetMetaData about = rows.getMetaData();
                    seen.append(about.getColumnName(2)).append(about.getTableName(2)).append(about.isNullable(1)).append(about.isAutoIncrement(1));
                    while (rows.next()) seen.append(' ').append(rows.getInt(1)).append(rows.getString(2));
                }
                System.out.println(seen);
            }
        }
        try (Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE);
                ResultSet rows = statement.executeQuery("select id, sale_id, qty from orders where id = 1")) {
            rows.next();
            rows.updateInt("qty", 77);
            rows.updateRow();
            rows.refreshRow();
            System.out.println(rows.getInt("qty"));
        }
        String insert = "insert into orders (sale_id, qty) values (?, ?)";
        try (PreparedStatement statement = connection.prepareStatement(insert, Statement.RETURN_GENERATED_KEYS)) {
            statement.setInt(1, 1);
            statement.setInt(2, 3);
            statement.executeUpdate();
            try (ResultSet keys = statement.getGeneratedKeys()) {
                System.out.println(keys.next() + " " + keys.getInt("qty"));
            }
            for (int n = 0; n < 20; n++) {
                statement.setInt(1, 2);
                statement.setInt(2, n);
                statement.addBatch();
            }
            System.out.println(statement.executeBatch().length);
        }
        connection.rollback();
        for (String refused : new String[] {"select card_number from sales", "select * from sales", "delete from orders"}) {
            try (Statement statement = connection.createStatement()) {
                statement.execute(refused);
            } catch (SQLException error) {
                System.out.println(refused + " " + error.getSQLState());
            }
            connection.rollback();
        }
    }
}
