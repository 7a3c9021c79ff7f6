-- Reads on among the ids that have an envelope, without the envelopes.
-- KEYS 1 jobs
-- ARGV 1 cursor (0: from the start)  2 about how many
-- Returns {cursor to go on from (0: all were read), ids ...}; as with HSCAN, an id may come twice
-- Idempotent because it writes nothing.
local answer = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local out = {answer[1]}
for i = 1, #answer[2], 2 do out[#out + 1] = answer[2][i] end
return out
