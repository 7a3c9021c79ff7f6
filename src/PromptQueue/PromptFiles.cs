using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LlmPipeline;

/// <summary>
/// The files of a prompt function, <c>skprompt.txt</c> and <c>config.json</c>, as they are sent to workers, which load and render them.
/// </summary>
public sealed class PromptFiles
{
    /// <summary>The files that a function may have.</summary>
    internal static readonly string[] Known = [Template, Config];

    /// <summary>The template.</summary>
    internal const string Template = "skprompt.txt";

    /// <summary>Variables and settings.</summary>
    internal const string Config = "config.json";

    /// <param name="name">The function's name, for people.</param>
    /// <param name="files">File name → content; names other than skprompt.txt and config.json are left out.</param>
    /// <exception cref="ArgumentException">There is no skprompt.txt.</exception>
    public PromptFiles(string name, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(files);
        if (!files.ContainsKey(Template))
            throw new ArgumentException($"The prompt function {name} has no {Template}.", nameof(files));
        Name = name;
        Files = files.Where(file => Known.Contains(file.Key)).ToDictionary(StringComparer.Ordinal);
        Sha = Hash(Files);
    }

    /// <summary>The function's name.</summary>
    public string Name { get; }

    /// <summary>File name → content.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files { get; }

    /// <summary>Which version of the function this is: SHA-256 over its sorted file names and contents, lower-case hex.</summary>
    public string Sha { get; }

    /// <summary>Reads a folder; its last part becomes the name.</summary>
    /// <exception cref="ArgumentException">There is no skprompt.txt.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static PromptFiles Load(string folder) => new(
        Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))),
        Known.Select(name => (Name: name, Path: Path.Join(folder, name))).Where(file => File.Exists(file.Path))
            .ToDictionary(file => file.Name, file => (ReadOnlyMemory<byte>)File.ReadAllBytes(file.Path), StringComparer.Ordinal));

    /// <summary>The hash of <see cref="Sha"/>.</summary>
    internal static string Hash(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var (name, content) in files.OrderBy(file => file.Key, StringComparer.Ordinal))
        {
            // Each part is led by its length, so that no two sets of files read the same.
            foreach (var part in (ReadOnlyMemory<byte>[])[Encoding.UTF8.GetBytes(name), content])
            {
                BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
                sha.AppendData(length);
                sha.AppendData(part.Span);
            }
        }

        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }
}
