using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Reads StackExchange.Redis' configuration strings, with the files of certificates beside its own options.</summary>
internal static class RedisConfiguration
{
    private const string Certificate = "cert", Key = "key", Authorities = "cacert";

    /// <exception cref="FormatException">It is none, or asks for what this program cannot do.</exception>
    public static ConfigurationOptions Parse(string text)
    {
        var files = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var others = new List<string>();
        foreach (var part in text.Split(','))
        {
            if (part.Split('=', 2) is [var name, var value] && IsCertificate(name.Trim()))
                files[name.Trim()] = value.Trim();
            else
                others.Add(part);
        }

        ConfigurationOptions options;
        try
        {
            options = ConfigurationOptions.Parse(string.Join(',', others));
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            // A password with a comma looks like an option, and the reason would quote it.
            var reason = text.Contains("password", StringComparison.OrdinalIgnoreCase)
                ? "an option of it is not understood"
                : e.Message.Split('\n')[0];
            throw new FormatException($"not a Redis address: {reason}");
        }

        if (options.EndPoints.Count == 0)
            throw new FormatException(
                "no Redis is named: give HOST:PORT, redis://host:port/db, unix:/path or a StackExchange.Redis configuration string");
        // Scripts publish by the names that they are given, and subscribers would listen on others.
        if ((string?)options.ChannelPrefix is { Length: > 0 })
            throw new FormatException("channelPrefix is not supported: the setting KeyPrefix keeps installations apart");
        if (options.Proxy != Proxy.None)
            throw new FormatException($"proxy={options.Proxy} is not supported: it passes on neither scripts nor messages");
        Certificates(files)?.Apply(options);
        return options;
    }

    /// <summary>Whether an option names a file of certificates.</summary>
    public static bool IsCertificate(string name) => name.ToLowerInvariant() is Certificate or Key or Authorities;

    /// <summary>The files that were named; null for none.</summary>
    public static RedisTls? Certificates(IReadOnlyDictionary<string, string> files) =>
        files.Count == 0
            ? null
            : new RedisTls(files.GetValueOrDefault(Certificate), files.GetValueOrDefault(Key), files.GetValueOrDefault(Authorities));
}
