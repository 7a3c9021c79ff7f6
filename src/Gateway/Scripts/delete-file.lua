-- Forgets a file, unless an open batch reads it. It stays pending until it is gone from the folder.
-- KEYS 1 file  2 files  3 expiry  4 pending  5 ... files of each purpose
-- ARGV 1 id
-- Returns 1 forgotten | 0 there is none | -1 an open batch reads it
-- Idempotent because a file that is gone is answered with 0 and nothing changes.
local uses = redis.call('HGET', KEYS[1], 'uses')
if not uses then return 0 end
if tonumber(uses) > 0 then return -1 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
for i = 5, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[4], string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)), ARGV[1])
return 1
