using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>Reads <c>redis://</c> and <c>rediss://</c>.</summary>
internal static class RedisUrl
{
    private const string Example = "a Redis URL looks like redis://user:password@host:port/db (rediss:// for TLS)";

    /// <exception cref="FormatException">It is none.</exception>
    public static ConfigurationOptions Parse(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("redis" or "rediss") || uri.Host.Length == 0)
            throw new FormatException($"{Example}; in a password, @ / : # ? % are written as %40 and so on");
        if (uri.Fragment.Length > 0)
            throw new FormatException("a Redis URL has no #: in a password it is written as %23");
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
        Certificates(uri.Query)?.Apply(options);
        return options;
    }

    private static RedisTls? Certificates(string query)
    {
        if (query.Length <= 1)
            return null;
        var files = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var part in query[1..].Split('&'))
        {
            var (name, value) = part.Split('=', 2) is [var key, var file] ? (key, Uri.UnescapeDataString(file)) : (part, "");
            if (!RedisConfiguration.IsCertificate(name) || value.Length == 0)
                throw new FormatException(
                    $"after the database a Redis URL has ?cert=FILE&key=FILE&cacert=FILE only, not '{name}': "
                    + "give other options as a StackExchange.Redis configuration string");
            files[name] = value;
        }

        return RedisConfiguration.Certificates(files);
    }
}
