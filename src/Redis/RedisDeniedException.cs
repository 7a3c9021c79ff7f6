using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Redis does not permit this user a command or a key. A worker waits until it does: what it holds is kept, and nothing is claimed
/// meanwhile.
/// </summary>
public sealed class RedisDeniedException(RedisServerException refusal) : RedisException(refusal.Message, refusal)
{
    private static readonly string[] Codes = ["NOPERM", "NOAUTH"];

    /// <summary>Whether Redis refused a call for want of a permission.</summary>
    /// <remarks>
    /// A script that meets it half way answers with ERR and these words (Redis 6.2, 7.0 and later):
    /// <see href="https://github.com/redis/redis/blob/7.0/src/script.c"/>.
    /// </remarks>
    public static bool Is(Exception exception) => exception is RedisServerException e
        && (Codes.Any(code => e.Message.Contains(code, StringComparison.Ordinal))
            || e.Message.Contains("ACL failure in script", StringComparison.Ordinal)
            || e.Message.Contains("The user executing the script", StringComparison.Ordinal));
}
