-- Sample data of the demo at MariaDB: the same small shop as at PostgreSQL. The values that ought not to leave it are
-- easy to recognise: they contain the word SECRET, or a number in 77770xx or 88880xx.
CREATE TABLE sales(id INT PRIMARY KEY, prod_name VARCHAR(100), sku VARCHAR(50), price DECIMAL(12,2), customer_email VARCHAR(100), card_number VARCHAR(50));
CREATE TABLE employees(id INT PRIMARY KEY, name VARCHAR(50), salary DECIMAL(12,2), ssn VARCHAR(50) UNIQUE);
CREATE TABLE orders(id INT AUTO_INCREMENT PRIMARY KEY, sale_id INT, qty INT, FOREIGN KEY (sale_id) REFERENCES sales(id));
CREATE TABLE events(id INT, ts DATETIME, kind VARCHAR(20), payload_secret VARCHAR(100))
  PARTITION BY RANGE (YEAR(ts)) (PARTITION p2024 VALUES LESS THAN (2025), PARTITION p2025 VALUES LESS THAN (2026));
CREATE TABLE hr.reviews(id INT PRIMARY KEY, employee_id INT, body VARCHAR(200));
CREATE VIEW v_sales_public AS SELECT prod_name, sku FROM sales;
CREATE VIEW v_sales_all AS SELECT * FROM sales;
CREATE PROCEDURE leak_cards() READS SQL DATA SELECT card_number FROM shop.sales;
CREATE FUNCTION add1(x INT) RETURNS INT DETERMINISTIC NO SQL RETURN x + 1;
INSERT INTO sales SELECT seq, CONCAT('Product ', seq), CONCAT('SKU-', seq), 7777000 + seq, CONCAT('mail-SECRET-', seq, '@example.com'), CONCAT('CARD-SECRET-', LPAD(seq, 4, '0')) FROM seq_1_to_5;
INSERT INTO employees SELECT seq, CONCAT('EMP-SECRET-', seq), 8888000 + seq, CONCAT('SSN-SECRET-', seq) FROM seq_1_to_3;
INSERT INTO orders(id, sale_id, qty) SELECT seq, seq, seq * 10 FROM seq_1_to_4;
INSERT INTO events SELECT seq, '2024-06-01' + INTERVAL seq * 200 DAY, CONCAT('k', seq), CONCAT('PAYLOAD-SECRET-', seq) FROM seq_0_to_2;
INSERT INTO hr.reviews SELECT seq, seq, CONCAT('REVIEW-SECRET-', seq) FROM seq_1_to_3;
