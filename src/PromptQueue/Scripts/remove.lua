-- Removes all keys of a retired partition that has nothing left, dead letters included.
-- KEYS 1 meta  2 jobs  3 dead  then every other key of the partition
-- ARGV 1 partitions  2 schema version
-- Returns {'OK', 1 removed, or was not there | 0 has jobs or dead letters, or is not retired} or {'MISMATCH', partitions, version}
-- Idempotent because what is gone counts as removed.
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'retired')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end
if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 or (meta[1] and not meta[3]) then return {'OK', 0} end
redis.call('DEL', unpack(KEYS))
return {'OK', 1}
