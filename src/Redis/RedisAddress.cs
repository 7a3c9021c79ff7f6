using System.Net;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Reads how people name a Redis.</summary>
public static class RedisAddress
{
    /// <summary>
    /// <c>HOST:PORT</c>, <c>redis://</c> or <c>rediss://user:password@host:port/db</c>, or a StackExchange.Redis configuration string
    /// (several end points for a cluster, <c>serviceName</c> for Sentinel, <c>ssl</c>).
    /// </summary>
    /// <param name="text">The name of the Redis.</param>
    /// <exception cref="FormatException">It names none; the message says what is wrong and holds no secret.</exception>
    public static ConfigurationOptions Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var options = text.Contains("://", StringComparison.Ordinal) ? FromUri(text.Trim()) : FromConfiguration(text.Trim());
        foreach (var endPoint in options.EndPoints)
        {
            var (host, port) = endPoint switch { DnsEndPoint dns => (dns.Host, dns.Port), IPEndPoint ip => ("", ip.Port), _ => ("", 1) };
            if (host.Contains('@', StringComparison.Ordinal))
                throw new FormatException("a Redis address with a user and a password begins with redis:// or rediss://");
            if (endPoint is DnsEndPoint && Uri.CheckHostName(host) == UriHostNameType.Unknown)
                throw new FormatException($"'{host}' is no host name: give HOST:PORT, redis://host:port/db or a StackExchange.Redis configuration string");
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
            _ => e.ToString() ?? "?",
        }));
    }

    private static ConfigurationOptions FromUri(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("redis" or "rediss") || uri.Host.Length == 0)
            throw new FormatException("a Redis URL looks like redis://user:password@host:port/db (rediss:// for TLS); in a password, @ / : # ? % are written as %40 and so on");
        if (uri.Query.Length > 0 || uri.Fragment.Length > 0)
            throw new FormatException("a Redis URL has nothing after the database: give options as a StackExchange.Redis configuration string");
        var options = new ConfigurationOptions { Ssl = uri.Scheme == "rediss" };
        options.EndPoints.Add(uri.DnsSafeHost, uri.Port > 0 ? uri.Port : 6379);
        if (uri.UserInfo.Length > 0)
        {
            var parts = uri.UserInfo.Split(':', 2);
            if (parts.Length == 2)
            {
                options.User = parts[0].Length > 0 ? Uri.UnescapeDataString(parts[0]) : null;
                options.Password = Uri.UnescapeDataString(parts[1]);
            }
            else
            {
                options.User = Uri.UnescapeDataString(parts[0]);
            }
        }

        var path = uri.AbsolutePath.Trim('/');
        if (path.Length > 0)
            options.DefaultDatabase = int.TryParse(path, out var database) && database >= 0
                ? database
                : throw new FormatException($"the database of a Redis URL is a number, not '{path}'");
        return options;
    }

    private static ConfigurationOptions FromConfiguration(string text)
    {
        ConfigurationOptions options;
        try
        {
            options = ConfigurationOptions.Parse(text);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            // A password with a comma looks like an option, and the reason would quote it.
            var reason = text.Contains("password", StringComparison.OrdinalIgnoreCase) ? "an option of it is not understood" : e.Message.Split('\n')[0];
            throw new FormatException($"not a Redis address: {reason}");
        }

        if (options.EndPoints.Count == 0)
            throw new FormatException("no Redis is named: give HOST:PORT, redis://host:port/db or a StackExchange.Redis configuration string");
        return options;
    }
}
