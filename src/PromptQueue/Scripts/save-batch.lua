-- Writes down what a batch, or a prompt function, is.
-- KEYS 1 batch as a whole, or prompt
-- ARGV 1 TTL, s  then field, value ...
-- Returns 1
-- Idempotent because it writes the same again.
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return redis.call('EXPIRE', KEYS[1], ARGV[1])
