namespace LlmPipeline;

/// <summary>
/// Finds a prompt function by its name: <c>./prompts/NAME</c>, else <c>prompts/NAME</c> beside the program. A name with a <c>/</c> is
/// the path of a folder.
/// </summary>
public sealed class PromptFunctionFinder
{
    private readonly string[] _roots;

    /// <summary>Looks in the given folders.</summary>
    /// <param name="workingFolder">Where <c>./prompts</c> is; null for the process's working folder.</param>
    /// <param name="programFolder">Where the program's own <c>prompts</c> are; null for the folder of the program.</param>
    public PromptFunctionFinder(string? workingFolder = null, string? programFolder = null) =>
        _roots = [Path.Join(workingFolder ?? ".", "prompts"), Path.Join(programFolder ?? AppContext.BaseDirectory, "prompts")];

    /// <summary>The names that <see cref="Find"/> knows, sorted.</summary>
    public IReadOnlyList<string> Names() =>
    [
        .. _roots.Where(Directory.Exists)
            .SelectMany(Directory.EnumerateDirectories)
            .Where(folder => File.Exists(Path.Join(folder, "skprompt.txt")))
            .Select(folder => Path.GetFileName(folder))
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Loads the function.</summary>
    /// <exception cref="PromptFunctionException">It is unknown (the message lists what there is), or it is broken.</exception>
    public PromptFunction Find(string name)
    {
        if (name.Contains('/') || name.Contains(Path.DirectorySeparatorChar))
            return PromptFunction.Load(name);
        if (name is not ("" or "." or ".."))
            foreach (var root in _roots)
                if (Directory.Exists(Path.Join(root, name)))
                    return PromptFunction.Load(Path.Join(root, name));
        var names = Names();
        throw new PromptFunctionException(
            names.Count == 0
                ? $"no prompt function \"{name}\": there is none in ./prompts or beside the program"
                : $"no prompt function \"{name}\"; there are: {string.Join(", ", names)}");
    }
}
