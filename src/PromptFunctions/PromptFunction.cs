using System.Text;
using System.Text.Json;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

namespace LlmPipeline;

/// <summary>
/// A template with variables and the settings to send along: a folder of <c>skprompt.txt</c> and, optionally, <c>config.json</c> in
/// Semantic Kernel's format. The template is split into its <c>&lt;message role="…"&gt;</c> blocks when it is loaded and each message is
/// rendered on its own, so the values of variables are data: whatever is in them arrives as typed. The template's own text stays as it
/// is too; XML entities in it are not decoded. A template without blocks is one user message. Immutable and safe for many threads.
/// </summary>
public sealed class PromptFunction
{
    private const string TemplateFile = PromptFiles.Template;
    private const string ConfigFile = PromptFiles.Config;
    private const int LargestFile = 1 << 20;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private static readonly KernelPromptTemplateFactory Templates = new() { AllowDangerouslySetContent = true };

    private readonly List<(AuthorRole Role, IPromptTemplate Template)> _messages = [];
    private readonly IReadOnlyDictionary<string, JsonElement> _settings;

    private PromptFunction(string name, string where, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files)
    {
        Name = name;
        Files = files.Where(file => PromptFiles.Known.Contains(file.Key)).ToDictionary(StringComparer.Ordinal);
        Sha = PromptFiles.Hash(Files);
        if (!Files.ContainsKey(TemplateFile))
            throw new PromptFunctionException($"{where}: has no {TemplateFile}");
        var template = Path.Join(where, TemplateFile);
        var config = Files.ContainsKey(ConfigFile) ? PromptConfig.Parse(Path.Join(where, ConfigFile), Text(where, ConfigFile)) : new PromptConfig();
        var variables = new Dictionary<string, PromptVariable>(StringComparer.OrdinalIgnoreCase);
        foreach (var declared in config.Variables)
        {
            var fallback = declared.Default as string;
            variables[declared.Name] = new PromptVariable(
                declared.Name, string.IsNullOrWhiteSpace(declared.Description) ? null : declared.Description, declared.IsRequired && fallback is null, fallback);
        }
        foreach (var (role, text) in PromptMessages.Split(template, Text(where, TemplateFile)))
            _messages.Add((role, Parse(template, text, variables)));

        Description = config.Description;
        ModelId = config.ModelId;
        Variables = [.. variables.Values];
        _settings = config.Settings;
        Settings = PromptSettings.Build($"{Path.Join(where, ConfigFile)}: execution_settings", _settings);
    }

    /// <summary>The function's name.</summary>
    public string Name { get; }

    /// <summary>Which version of the function this is: SHA-256 over its sorted file names and contents, lower-case hex.</summary>
    public string Sha { get; }

    /// <summary>For people; null when config.json says nothing.</summary>
    public string? Description { get; }

    /// <summary>The variables: those of config.json, then those that only the template names, which are required.</summary>
    public IReadOnlyList<PromptVariable> Variables { get; }

    /// <summary>The model that config.json asks for (<c>model_id</c>); null for none.</summary>
    public string? ModelId { get; }

    /// <summary>The files that make the function, name → content: what <see cref="FromFiles"/> takes.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Files { get; }

    /// <summary>The settings of config.json.</summary>
    public PromptSettings Settings { get; }

    /// <summary>Loads a folder; its last part becomes the name.</summary>
    /// <exception cref="PromptFunctionException">The folder or its template is missing, or something in them is wrong: one line with file and field.</exception>
    public static PromptFunction Load(string folder)
    {
        if (!Directory.Exists(folder))
            throw new PromptFunctionException($"{folder}: no such folder");
        var files = new Dictionary<string, ReadOnlyMemory<byte>>();
        foreach (var name in PromptFiles.Known)
        {
            var path = Path.Join(folder, name);
            try
            {
                if (!File.Exists(path))
                    continue;
                if (new FileInfo(path).Length > LargestFile)
                    throw new PromptFunctionException($"{path}: is larger than {LargestFile >> 20} MiB");
                files[name] = File.ReadAllBytes(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new PromptFunctionException($"{path}: cannot be read: {e.Message}", e);
            }
        }
        return new PromptFunction(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))), folder, files);
    }

    /// <summary>The same from files in memory, such as those of <see cref="Files"/>; names other than skprompt.txt and config.json are left out.</summary>
    /// <exception cref="PromptFunctionException">Something in them is wrong.</exception>
    public static PromptFunction FromFiles(string name, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files) => new(name, name, files);

    /// <summary>The settings of config.json with <paramref name="overrides"/> (setting → value) in their place.</summary>
    /// <exception cref="PromptFunctionException">A setting that would not be sent, or whose value does not fit.</exception>
    public PromptSettings SettingsWith(IReadOnlyDictionary<string, JsonElement>? overrides) =>
        overrides is null or { Count: 0 } ? Settings : PromptSettings.Build("setting", _settings, overrides, Settings.Schema);

    /// <summary>The first tool that the settings ask for and <paramref name="kernel"/> does not have, as <c>plugin.function</c>, or <c>*</c> when they ask for all and there is none; null when all are there.</summary>
    public static string? FirstMissingTool(PromptSettings settings, Kernel kernel) => settings.Tools switch
    {
        null => null,
        [] => kernel.Plugins.Any(plugin => plugin.FunctionCount > 0) ? null : "*",
        var tools => tools.FirstOrDefault(tool => tool.Split('.') is var name && !kernel.Plugins.TryGetFunction(name[0], name[1], out _)),
    };

    /// <summary>The first required variable that <paramref name="variables"/> leaves out; null when all are there. An empty value is a value.</summary>
    public string? FirstMissing(IReadOnlyDictionary<string, string> variables) =>
        Variables.FirstOrDefault(variable => variable.IsRequired && Value(variables, variable.Name) is null)?.Name;

    /// <summary>The messages, with the variables in their places. Variables that the function does not have are left out.</summary>
    /// <param name="kernel">Holds the functions that a template may call.</param>
    /// <param name="variables">Name → value. A name that differs only in case serves where the exact one is not given, as in Semantic Kernel.</param>
    /// <param name="cancellationToken">Stops the rendering.</param>
    /// <exception cref="PromptFunctionException">A required variable is missing, or a function that the template calls is unknown or failed.</exception>
    public async Task<ChatHistory> RenderAsync(Kernel kernel, IReadOnlyDictionary<string, string> variables, CancellationToken cancellationToken)
    {
        if (FirstMissing(variables) is { } missing)
            throw new PromptFunctionException($"{Name}: {missing}: missing variable");
        var arguments = new KernelArguments();
        foreach (var variable in Variables)
            arguments[variable.Name] = Value(variables, variable.Name) ?? variable.Default ?? "";

        var history = new ChatHistory();
        foreach (var (role, template) in _messages)
        {
            try
            {
                history.AddMessage(role, await template.RenderAsync(kernel, arguments, cancellationToken));
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // Only a called function can fail here, with whatever it likes. Its message may hold what it was given, so it is not repeated.
                throw new PromptFunctionException($"{Name}: {TemplateFile}: a function that the template calls is unknown or failed", e);
            }
        }
        return history;
    }

    private static IPromptTemplate Parse(string file, string text, Dictionary<string, PromptVariable> variables)
    {
        var config = new PromptTemplateConfig(text) { AllowDangerouslySetContent = true };
        IPromptTemplate template;
        try
        {
            template = Templates.Create(config);
        }
        catch (KernelException e)
        {
            throw new PromptFunctionException($"{file}: {e.Message}", e);
        }
        // Creating the template adds the variables that it found in the text.
        foreach (var used in config.InputVariables)
            variables.TryAdd(used.Name, new PromptVariable(used.Name, null, IsRequired: true, null));
        return template;
    }

    private static string? Value(IReadOnlyDictionary<string, string> variables, string name)
    {
        if (variables.TryGetValue(name, out var exact))
            return exact;
        foreach (var (key, value) in variables)
            if (string.Equals(key, name, StringComparison.OrdinalIgnoreCase))
                return value;
        return null;
    }

    private string Text(string where, string file)
    {
        var bytes = Files[file].Span;
        try
        {
            return StrictUtf8.GetString(bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new PromptFunctionException($"{Path.Join(where, file)}: is not UTF-8", e);
        }
    }
}
