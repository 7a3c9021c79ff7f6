-- Makes a file known that lies whole in the folder.
-- KEYS 1 file  2 files  3 files of its purpose  4 expiry  5 pending
-- ARGV 1 id  2 seconds until it expires (0: never)  then field, value ...
-- Returns {created at, expires at (0: never)}, Unix s
-- Idempotent because the first call sets the times, and the rest is the same again.
redis.call('ZREM', KEYS[5], ARGV[1])
local time = redis.call('TIME')
redis.call('HSETNX', KEYS[1], 'created_at', time[1])
redis.call('HSETNX', KEYS[1], 'uses', '0')
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
local created = redis.call('HGET', KEYS[1], 'created_at')
local expires = ARGV[2] == '0' and '0' or string.format('%.0f', created + ARGV[2])
redis.call('HSET', KEYS[1], 'expires_at', expires)
local order = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('ZADD', KEYS[2], 'NX', order, ARGV[1])
redis.call('ZADD', KEYS[3], 'NX', order, ARGV[1])
if expires ~= '0' then redis.call('ZADD', KEYS[4], expires, ARGV[1]) end
return {created, expires}
