namespace LlmPipeline;

/// <summary>
/// The key of a deployment, from its settings or from a file. A file that changes is read again, so that a key is replaced without a
/// restart; one that is missing or empty for a moment leaves the last key in use. Safe for threads.
/// </summary>
internal sealed class ProviderKey
{
    private readonly Lock _lock = new();
    private readonly string? _file;
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private DateTime _written;

    public ProviderKey(DeploymentOptions options)
    {
        _file = options.ApiKeyFile;
        Current = options.ApiKey;
        Refresh();
        if (Current is not null)
            _seen.Add(Current);
    }

    /// <summary>The key, as it was when it was read last; null for none.</summary>
    public string? Current { get; private set; }

    /// <summary>Raised with all keys that there were, when there is a new one.</summary>
    public event Action<IReadOnlyCollection<string>>? Changed;

    /// <summary>Reads the file if it has changed.</summary>
    /// <returns>The key.</returns>
    public string? Refresh()
    {
        if (_file is null)
            return Current;
        lock (_lock)
        {
            var written = File.GetLastWriteTimeUtc(_file);
            if (written == _written || Read(_file) is not { } key)
                return Current;
            _written = written;
            if (key == Current)
                return key;
            Current = key;
            _seen.Add(key);
            Changed?.Invoke([.. _seen]);
            return key;
        }
    }

    /// <summary>What is wrong with the file of a key; null when nothing is.</summary>
    public static string? Fault(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim() switch
            {
                "" => $"{file} is empty",
                var key when key.Any(c => c is <= ' ' or > '~') =>
                    $"{file} holds more than one line, or a character that no header may hold",
                _ => null,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{file} cannot be read: {e.Message}";
        }
    }

    private static string? Read(string file)
    {
        try
        {
            return Fault(file) is null ? File.ReadAllText(file).Trim() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is being replaced.
            return null;
        }
    }
}
