SELECT * FROM sales
SELECT s.*, o.qty FROM sales s LEFT JOIN orders o ON o.sale_id = s.id AND o.qty > 1 WHERE s.price BETWEEN 1 AND 5 OR s.sku LIKE 'a%' ESCAPE '|'
SELECT DISTINCT sku, COUNT(*) c FROM sales GROUP BY sku HAVING c > 1 AND MAX(price) > 3 ORDER BY c DESC, sku LIMIT 10 OFFSET 5
SELECT id FROM sales WHERE id IN (1,2,3) AND sku NOT IN ('a') AND NOT (price < 3) XOR id = 4
SELECT id FROM sales WHERE (id, sku) IN (SELECT sale_id, 'x' FROM orders)
SELECT CASE WHEN price > 1 THEN 'a' ELSE 'b' END AS x, CASE id WHEN 1 THEN 2 END FROM sales
SELECT IF(price>1,1,0), IFNULL(sku,''), NULLIF(sku,''), COALESCE(sku,prod_name) FROM sales
SELECT CONCAT(sku,'-',prod_name), UPPER(sku), SUBSTRING(sku FROM 2 FOR 3), SUBSTRING(sku,1,2), LEFT(sku,2), RIGHT(sku,2), TRIM(sku), TRIM(LEADING 'x' FROM sku), REPLACE(sku,'a','b'), INSERT(sku,1,1,'x'), POSITION('a' IN sku), LOCATE('a',sku), CHAR_LENGTH(sku), FORMAT(price,2) FROM sales
SELECT DATE_ADD(NOW(), INTERVAL 1 DAY), NOW() - INTERVAL 1 HOUR, INTERVAL 1 DAY + NOW(), TIMESTAMPDIFF(SECOND, NOW(), NOW()), TIMESTAMPADD(MINUTE,1,NOW()), EXTRACT(YEAR FROM NOW()), DATE('2020-01-01'), DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00', TIME '10:00:00', CURRENT_TIMESTAMP, CURRENT_DATE(), UTC_TIMESTAMP(), GET_FORMAT(DATE,'USA')
SELECT CAST('1' AS UNSIGNED), CAST(1 AS CHAR(5) CHARACTER SET utf8mb4), CAST('1.1' AS DECIMAL(10,2)), CONVERT('1', SIGNED INTEGER), CONVERT('a' USING utf8mb4), CAST(NOW() AS DATE), CAST('x' AS BINARY(3)), BINARY 'a'
SELECT JSON_EXTRACT('{"a":1}', '$.a'), JSON_OBJECT('a',1), JSON_ARRAY(1,2), JSON_UNQUOTE(JSON_EXTRACT('{"a":"b"}','$.a'))
SELECT id, ROW_NUMBER() OVER (PARTITION BY sku ORDER BY price DESC) rn, SUM(price) OVER w, LAG(price,1,0) OVER (w ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) FROM sales WINDOW w AS (PARTITION BY sku)
SELECT GROUP_CONCAT(DISTINCT sku ORDER BY id DESC SEPARATOR ', ') FROM sales
SELECT COUNT(DISTINCT sku, id), AVG(price), SUM(DISTINCT price), STDDEV_POP(price), BIT_OR(id) FROM sales
SELECT sku FROM sales UNION SELECT name FROM employees UNION ALL (SELECT kind FROM events LIMIT 1) ORDER BY 1 LIMIT 5
(SELECT sku FROM sales LIMIT 1) UNION (SELECT name FROM employees LIMIT 1)
SELECT * FROM (SELECT id, sku FROM sales) AS x JOIN (SELECT sale_id FROM orders) y ON x.id = y.sale_id
SELECT * FROM sales s JOIN orders o ON s.id = o.sale_id JOIN employees e ON e.id = o.id
SELECT * FROM sales s, orders o WHERE s.id = o.sale_id
SELECT * FROM sales CROSS JOIN orders
SELECT a.id FROM sales a CROSS JOIN orders b JOIN employees c ON c.id = a.id
SELECT * FROM sales JOIN orders USING (id)
SELECT id FROM sales NATURAL JOIN orders
SELECT * FROM (sales s, orders o) LEFT JOIN employees e ON e.id = s.id
SELECT * FROM (sales s INNER JOIN orders o ON s.id = o.sale_id) WHERE s.id = 1
SELECT STRAIGHT_JOIN s.id FROM sales s STRAIGHT_JOIN orders o ON s.id=o.sale_id
SELECT SQL_NO_CACHE id FROM sales
SELECT HIGH_PRIORITY SQL_CALC_FOUND_ROWS id FROM sales LIMIT 1
SELECT id FROM sales USE INDEX (PRIMARY) IGNORE INDEX FOR ORDER BY (PRIMARY) WHERE id=1
SELECT id FROM events PARTITION (p2024)
SELECT id FROM sales WHERE EXISTS (SELECT 1 FROM orders o WHERE o.sale_id = sales.id)
SELECT id, (SELECT MAX(qty) FROM orders o WHERE o.sale_id = s.id) m FROM sales s
SELECT id FROM sales WHERE price > ALL (SELECT qty FROM orders) OR price = ANY (SELECT qty FROM orders)
SELECT id FROM orders FOR UPDATE
SELECT id FROM orders LOCK IN SHARE MODE
WITH a AS (SELECT id FROM sales), b(x) AS (SELECT id FROM a) SELECT * FROM b
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n WHERE i < 5) SELECT * FROM n
WITH RECURSIVE t(id, lvl) AS (SELECT id, 1 FROM orders WHERE id=1 UNION ALL SELECT o.id, lvl+1 FROM orders o JOIN t ON o.sale_id=t.id AND lvl < 3) SELECT * FROM t
SELECT @a := 1, @a + 1
SELECT @@version, @@session.sql_mode, @@global.max_connections, @@max_allowed_packet
SELECT id FROM sales ORDER BY FIELD(sku,'a','b'), RAND()
SELECT id FROM sales ORDER BY sku IS NULL, sku COLLATE utf8mb4_unicode_ci ASC
SELECT id FROM sales WHERE sku REGEXP '^a' OR sku RLIKE 'b' OR sku SOUNDS LIKE 'c' OR sku <=> NULL
SELECT id DIV 2, id MOD 2, id % 2, id & 1, id | 2, id ^ 3, ~id, id << 1, !id, -id FROM sales
SELECT id FROM sales WHERE MATCH (sku, prod_name) AGAINST ('x' IN BOOLEAN MODE)
SELECT MD5(sku), SHA1(sku), SHA2(sku,256), CRC32(sku), HEX(sku), UNHEX('41'), TO_BASE64(sku), UUID(), RAND(), INET_ATON('1.2.3.4') FROM sales
SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS(), CONNECTION_ID(), USER(), CURRENT_USER(), CURRENT_USER, SCHEMA(), DATABASE(), VERSION()
SELECT 'it''s', "dq", N'x', _utf8mb4'y' COLLATE utf8mb4_bin, X'41', 0x41, b'1', 1e3, .5, 5., 1.5e-3, NULL, TRUE
SELECT {d '2020-01-01'}, {fn CONCAT('a','b')}
SELECT 1 AS `odd name`, 2 'str alias', 3 AS "dq"
SELECT s.id AS sid FROM shop.sales AS s WHERE shop.s.id = 1
SELECT shop.sales.id FROM shop.sales
SELECT YEAR(ts), MONTH(ts), DAYOFWEEK(ts), DATE_FORMAT(ts,'%Y'), UNIX_TIMESTAMP(ts), STR_TO_DATE('2020','%Y'), DATEDIFF(ts,NOW()), LAST_DAY(ts), WEEK(ts,1) FROM events
SELECT ROUND(price,2), FLOOR(price), CEIL(price), TRUNCATE(price,1), ABS(price), POW(price,2), SQRT(price), GREATEST(1,2), LEAST(1,2), SIGN(price), LOG(price) FROM sales
SELECT sku, SUM(price) FROM sales GROUP BY sku WITH ROLLUP
SELECT YEAR(ts) y, COUNT(*) FROM events GROUP BY y ORDER BY y
SELECT id FROM sales LIMIT 5, 10
SELECT id FROM sales WHERE id = ? AND sku LIKE ? LIMIT ?
SELECT s.id FROM sales s WHERE s.id NOT IN (SELECT sale_id FROM orders WHERE sale_id IS NOT NULL) AND s.sku IS NOT NULL
SELECT (SELECT COUNT(*) FROM orders) AS a, (SELECT COUNT(*) FROM sales) AS b
SELECT id FROM sales WHERE (((id = 1)))
SELECT ((SELECT 1)) + 1
SELECT prod_name FROM v_sales_public
SELECT 1 FROM DUAL WHERE 1=1
INSERT INTO orders (sale_id, qty) VALUES (1, 2), (2, 3)
INSERT INTO orders VALUES (NULL, 1, 2)
INSERT INTO orders VALUES (DEFAULT, 1, DEFAULT)
INSERT orders SET sale_id = 1, qty = 5
INSERT IGNORE INTO orders (id, qty) SELECT id, 1 FROM sales
INSERT INTO orders (sale_id, qty) SELECT s.id, 1 FROM sales s WHERE s.id = 1 ON DUPLICATE KEY UPDATE qty = VALUES(qty) + 1
INSERT INTO orders (id, qty) VALUES (1,1) ON DUPLICATE KEY UPDATE qty = qty + VALUES(qty), sale_id = LAST_INSERT_ID(sale_id)
INSERT LOW_PRIORITY INTO orders (qty) VALUES (1)
INSERT INTO orders () VALUES ()
INSERT INTO orders(qty) VALUES (1 + 2), ((3))
INSERT INTO orders (qty) (SELECT 1)
INSERT INTO orders (qty) WITH a AS (SELECT 1 AS x) SELECT x FROM a
REPLACE INTO orders (id, qty) VALUES (1, 2)
REPLACE INTO orders SET id=1, qty=2
UPDATE orders SET qty = qty + 1, sale_id = NULL WHERE id = 1
UPDATE orders o JOIN sales s ON s.id = o.sale_id SET o.qty = s.id, o.sale_id = 1 WHERE s.sku = 'x'
UPDATE orders, sales SET orders.qty = 1 WHERE orders.sale_id = sales.id
UPDATE LOW_PRIORITY IGNORE orders SET qty = 1 ORDER BY id LIMIT 5
UPDATE orders SET qty = (SELECT MAX(id) FROM sales)
UPDATE orders SET qty = DEFAULT, sale_id = CASE WHEN qty > 1 THEN 1 ELSE 2 END
DELETE FROM orders WHERE id = 1
DELETE FROM orders ORDER BY id LIMIT 1
DELETE o FROM orders o JOIN sales s ON s.id = o.sale_id WHERE s.sku = 'x'
DELETE FROM o USING orders o JOIN sales s ON s.id = o.sale_id
DELETE orders, sales FROM orders JOIN sales ON 1=0
START TRANSACTION
START TRANSACTION READ ONLY
START TRANSACTION WITH CONSISTENT SNAPSHOT
BEGIN
COMMIT
ROLLBACK
COMMIT AND CHAIN
SAVEPOINT a
ROLLBACK TO SAVEPOINT a
RELEASE SAVEPOINT a
SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
SET autocommit = 0
SET @a = 1, @b = 'x', @c = @a + 1
SET SESSION sql_mode = (SELECT REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', ''))
SET sql_mode=(SELECT REPLACE(@@sql_mode,'ONLY_FULL_GROUP_BY,',''))
SET SESSION group_concat_max_len = 100000
SET time_zone = 'SYSTEM'
SET character_set_results = utf8mb4
SET @@session.wait_timeout = 100
SET CHARACTER SET utf8
USE shop
SHOW TABLES
SHOW CREATE TABLE orders
SHOW COLUMNS FROM orders
DESCRIBE orders
DESC shop.orders qty
EXPLAIN SELECT * FROM orders
EXPLAIN FORMAT=JSON SELECT * FROM orders WHERE id = 1
EXPLAIN UPDATE orders SET qty = 1
SHOW WARNINGS LIMIT 5
SHOW INDEX FROM orders
SHOW VARIABLES LIKE 'max_allowed_packet'
SHOW STATUS LIKE 'Threads%'
DO 1
DO @a := 5
SELECT id, sku FROM sales /* c1 */ WHERE id = 1 -- trailing
SELECT /*+ MAX_EXECUTION_TIME(1000) */ id FROM sales
SELECT /*!40001 SQL_NO_CACHE */ id FROM orders
/*!40101 SET NAMES utf8mb4 */
SELECT sale.id FROM sales AS sale WHERE sale.`sku` IN ('a','b') GROUP BY sale.id HAVING COUNT(*) > 0 ORDER BY NULL
SELECT id FROM orders WHERE DATE(NOW()) = CURDATE() AND TIME(NOW()) > '00:00'
SELECT t1.id FROM sales t1 LEFT OUTER JOIN orders t2 USING (id) RIGHT JOIN employees t3 ON t3.id = t1.id
SELECT 1 + 1 = 2 AND 3 > 2 || 0
SELECT sku, price FROM sales ORDER BY price + 0 DESC, LENGTH(sku)
SELECT AVG(price) AS a FROM sales HAVING a > 1
SELECT sku s FROM sales HAVING s LIKE 'x%'
SELECT id AS i FROM sales GROUP BY i ORDER BY COUNT(*) DESC
SELECT MAX(id) FROM (SELECT id FROM sales UNION SELECT id FROM orders) u
SELECT id x FROM sales WHERE price >= (SELECT AVG(price) FROM sales)
SELECT JSON_ARRAYAGG(JSON_OBJECT('id', id, 'sku', sku)) FROM sales
SELECT TIMEDIFF(NOW(), NOW()), SEC_TO_TIME(10), ADDDATE(NOW(), 1), SUBDATE(NOW(), INTERVAL 1 MONTH), MAKEDATE(2020,1)
SELECT EXISTS(SELECT 1 FROM orders WHERE id = 1) AS e
SELECT NOT EXISTS(SELECT 1 FROM orders)
SELECT id FROM orders WHERE NOT qty = 1 AND qty IS NOT TRUE
SELECT COUNT(*) OVER () total, id FROM orders
SELECT id FROM orders o WHERE o.qty > (SELECT AVG(i.qty) FROM orders i WHERE i.sale_id = o.sale_id)
SELECT date, time, timestamp, status, type, name, value, user FROM (SELECT 1 date, 2 time, 3 timestamp, 4 status, 5 type, 6 name, 7 value, 8 user) x
