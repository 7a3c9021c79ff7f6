using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Reads how people name a Redis.</summary>
public static class RedisAddress
{
    private const string Unix = "unix:";

    /// <summary>
    /// <c>HOST:PORT</c>, <c>redis://</c> or <c>rediss://user:password@host:port/db</c>, <c>unix:/path</c>, or a StackExchange.Redis
    /// configuration string (several end points for a cluster, <c>serviceName</c> for Sentinel, <c>ssl</c>, timeouts). With TLS,
    /// <c>cert</c>,
    /// <c>key</c> and <c>cacert</c> name PEM files, after a <c>?</c> in a URL and as options in a configuration string.
    /// </summary>
    /// <param name="text">The name of the Redis.</param>
    /// <exception cref="FormatException">It names none; the message says what is wrong and holds no secret.</exception>
    public static ConfigurationOptions Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = text.Trim();
        var options = text.StartsWith(Unix, StringComparison.Ordinal) ? RedisConfiguration.Parse(OfUnix(text[Unix.Length..]))
            : text.Contains("://", StringComparison.Ordinal) ? RedisUrl.Parse(text)
            : RedisConfiguration.Parse(text);
        foreach (var endPoint in options.EndPoints)
        {
            var (host, port) = endPoint switch { DnsEndPoint dns => (dns.Host, dns.Port), IPEndPoint ip => ("", ip.Port), _ => ("", 1) };
            if (host.Contains('@', StringComparison.Ordinal))
                throw new FormatException("a Redis address with a user and a password begins with redis:// or rediss://");
            if (endPoint is DnsEndPoint && Uri.CheckHostName(host) == UriHostNameType.Unknown)
                throw new FormatException(
                    $"'{host}' is no host name: give HOST:PORT, redis://host:port/db or a StackExchange.Redis configuration string");
            if (port is < 0 or > 65535)
                throw new FormatException($"the Redis port {port} is not between 1 and 65535");
        }

        return options;
    }

    /// <summary>The end points, for messages: without user, password or options.</summary>
    public static string Describe(ConfigurationOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return string.Join(",", options.EndPoints.Select(e => e switch
        {
            DnsEndPoint dns => $"{dns.Host}:{(dns.Port == 0 ? 6379 : dns.Port)}",
            IPEndPoint ip => $"{ip.Address}:{(ip.Port == 0 ? 6379 : ip.Port)}",
            UnixDomainSocketEndPoint socket => $"{Unix}{socket}",
            _ => e.ToString() ?? "?",
        }));
    }

    // As StackExchange.Redis writes a socket; what follows a comma are options.
    private static string OfUnix(string rest)
    {
        var path = rest.StartsWith("//", StringComparison.Ordinal) ? rest[2..] : rest;
        return path.StartsWith('/') ? "!" + path : throw new FormatException("a Unix socket looks like unix:/run/redis/redis.sock");
    }
}
