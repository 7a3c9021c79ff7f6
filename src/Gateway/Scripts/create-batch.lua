-- Makes a batch of a file that is there. The file is kept while the batch is open.
-- KEYS 1 batch  2 batches  3 open  4 input file
-- ARGV 1 id  2 open batches at most  3 purpose that the file must have  4 completion window, s  then field, value ...
-- Returns 1 made | 0 there is no such file | -1 it has another purpose | -2 too many batches are open
-- Idempotent because a batch that is there is left alone.
if redis.call('EXISTS', KEYS[1]) == 1 then return 1 end
local time, file = redis.call('TIME'), redis.call('HMGET', KEYS[4], 'expires_at', 'purpose')
if not file[1] or (file[1] ~= '0' and tonumber(file[1]) <= tonumber(time[1])) then return 0 end
if file[2] ~= ARGV[3] then return -1 end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[2]) then return -2 end
redis.call('HSET', KEYS[1], 'status', 'validating', 'created_at', time[1], 'expires_at', string.format('%.0f', time[1] + ARGV[4]), unpack(ARGV, 5))
redis.call('HINCRBY', KEYS[4], 'uses', 1)
local order = string.format('%.0f', time[1] * 1000000 + time[2])
redis.call('ZADD', KEYS[2], order, ARGV[1])
redis.call('ZADD', KEYS[3], order, ARGV[1])
return 1
