namespace LlmPipeline;

/// <summary>Where files lie: a folder for each owner. A file appears under its name when it is whole.</summary>
internal sealed class FileFolder(string path)
{
    private const string Part = ".part";

    public string Path => path;

    public bool IsThere => Directory.Exists(path);

    /// <summary>Makes sure that files can be written there.</summary>
    /// <exception cref="GatewaySettingsException">They can't.</exception>
    public static FileFolder Open(string path)
    {
        try
        {
            var whole = System.IO.Path.GetFullPath(path);
            PrivateFiles.CreateFolder(whole);
            var probe = System.IO.Path.Join(whole, $".{Guid.NewGuid():N}{Part}");
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
            return new FileFolder(whole);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new GatewaySettingsException($"--files {path}: {e.Message}");
        }
    }

    /// <summary>Where a whole file lies.</summary>
    public string PathOf(string owner, string id) => System.IO.Path.Join(path, owner, id + ".jsonl");

    /// <summary>Begins a file under a name of its own.</summary>
    public FilePart Begin(string owner, string id)
    {
        PrivateFiles.OwnFolder(System.IO.Path.Join(path, owner));
        return new FilePart(PathOf(owner, id), System.IO.Path.Join(path, owner, $"{id}.{Guid.NewGuid():N}{Part}"));
    }

    /// <summary>Removes a file, whole or begun, if it is there.</summary>
    public void Remove(string owner, string id)
    {
        File.Delete(PathOf(owner, id));
        var folder = System.IO.Path.Join(path, owner);
        foreach (var part in Directory.Exists(folder) ? Directory.EnumerateFiles(folder, $"{id}.*{Part}") : [])
            File.Delete(part);
    }

    /// <summary>Removes what was begun and not written to since.</summary>
    /// <returns>How many there were.</returns>
    public int RemoveParts(DateTimeOffset before)
    {
        var removed = 0;
        foreach (var part in Directory.EnumerateFiles(path, "*" + Part, SearchOption.AllDirectories))
        {
            if (File.GetLastWriteTimeUtc(part) >= before.UtcDateTime)
                continue;
            File.Delete(part);
            removed++;
        }

        return removed;
    }
}
