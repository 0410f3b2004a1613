//! GitLab's texts in the language of the token's user (`Gitlab::I18n.locale` in `current_user` of
//! `lib/api/helpers.rb`; a bot has `Gitlab::CurrentSettings.default_preferred_language`).
//!
//! The messages of validations are those of rails-i18n, `errors.messages` in
//! `rails/locale/{ja,de,pl}.yml`. Other texts are those of GitLab's `locale/{ja,de,pl_PL}/gitlab.po`,
//! which falls back to English. The constants of GitLab are in English for everyone, such as
//! `404 Not found`, `is blocked: …` and `Failed to obtain a lock`.

/// The preferred language of the tokens' users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    Japanese,
    German,
    Polish,
}

impl Language {
    pub const ALL: [Language; 4] = [
        Language::English,
        Language::Japanese,
        Language::German,
        Language::Polish,
    ];

    /// `errors.messages.taken`.
    pub fn taken(self) -> &'static str {
        match self {
            Language::English => "has already been taken",
            Language::Japanese => "はすでに存在します。",
            Language::German => "ist bereits vergeben",
            Language::Polish => "zostało już zajęte",
        }
    }

    /// `errors.messages.blank`.
    pub fn blank(self) -> &'static str {
        match self {
            Language::English => "can't be blank",
            Language::Japanese => "を入力してください。",
            Language::German => "muss ausgefüllt werden",
            Language::Polish => "nie może być puste",
        }
    }

    /// The text of a sync of a disabled mirror (`app/services/remote_mirrors/sync_service.rb`).
    pub fn cannot_sync(self) -> &'static str {
        match self {
            Language::English | Language::Polish => {
                "Cannot proceed with the push mirroring. Please verify your mirror configuration."
            }
            Language::Japanese => {
                "プッシュミラーリングを続行できません。ミラー設定を確認してください。"
            }
            Language::German => {
                "Die Push-Spiegelung kann nicht durchgeführt werden. Bitte überprüfe deine \
                 Spiegelkonfiguration."
            }
        }
    }
}
